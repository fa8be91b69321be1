"""The command `kobert`."""
