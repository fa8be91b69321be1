"""What the api and the worker both speak: settings, wire types, Redis keys, the Celery application, errors, logs."""
