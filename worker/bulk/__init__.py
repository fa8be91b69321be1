"""Bulk jobs in the worker: takes chunks from the ledger and classifies their rows."""
