"""Reads texts of which one may have ended a worker in a process of its own, which may die of it."""
