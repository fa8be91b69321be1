"""Corrections in a worker: which texts have one, kept in step with the store, and the verdict that it makes."""
