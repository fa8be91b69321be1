"""API keys as the API and the command `kobert keys` share them: what a key is, and where keys are kept."""
