"""The text as a model reads it: the normaliser, and Hangul taken apart."""
