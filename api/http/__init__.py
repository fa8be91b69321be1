"""Code that all routes use: errors, authentication, request ids, bodies, timing."""
