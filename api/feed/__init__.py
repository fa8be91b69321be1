"""The live feed: the last texts of `/predict` with their verdicts, kept for moderators where the settings say so."""
