"""The process that owns the model: Celery task threads feed a micro-batcher, which one model thread empties."""
