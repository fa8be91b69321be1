"""Turning a checkpoint that a user already has into a model bundle."""
