"""Policies as both sides know them: the rules of a board, and the store that keeps them in Redis without expiry."""
