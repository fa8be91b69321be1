"""Proofs that need too much for the test suite: `make gluonnlp-proof`."""
