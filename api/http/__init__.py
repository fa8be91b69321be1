"""What every route shares: errors, authentication, request ids, bodies, timing."""
