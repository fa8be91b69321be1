"""Text processing before the tokenizer: the normaliser, and Hangul decomposition."""
