"""Bulk jobs in the worker: lease chunks from the ledger and classify their rows."""
