"""The API's side of the job ledger in Redis."""
