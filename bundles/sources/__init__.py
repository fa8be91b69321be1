"""From the setting `MODEL` to a bundle: folders, checkpoint files, the Hub, and the cache of converted models."""
