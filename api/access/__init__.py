"""Who may do what, and how much: API keys, their scopes and quotas. Knows nothing of HTTP."""
