"""The API's metrics, and the middleware that counts and logs every request."""
