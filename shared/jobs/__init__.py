"""Bulk jobs as both sides know them: the records, the ledger of chunks in Redis, and the scripts that keep it whole."""
