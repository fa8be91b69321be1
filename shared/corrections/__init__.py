"""Corrections as both sides know them: the records, and the store that keeps them in Redis without expiry."""
