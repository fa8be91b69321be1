"""Resolves the setting `MODEL` to a bundle: from folders, checkpoint files, the Hub, or the cache of conversions."""
