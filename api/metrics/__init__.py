"""What `/metrics` shows, and the middleware that counts and logs every request."""
