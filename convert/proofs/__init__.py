"""Proofs that are too heavy for the test suite: `make gluonnlp-proof`."""
