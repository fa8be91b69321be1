"""One module a group of routes; each says what it validates and what it answers."""
