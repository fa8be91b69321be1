"""The network, and everything that changes its weights or teaches it."""
