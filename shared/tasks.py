"""Names of the Celery tasks, for those who send them and those who do them."""

PREDICT_TASK = "kobert.predict"
JOBS_TASK = "kobert.jobs"

# Message header with the Unix time at which the message was queued.
QUEUED_AT_HEADER = "queued_at"
