"""What each owner takes in the store: bytes of jobs, input files, batches and review queues, as they come and go."""
