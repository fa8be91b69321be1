"""Corrections as clients see them: checked on their way in, shown, exported."""
