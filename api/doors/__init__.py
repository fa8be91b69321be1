"""Other services' APIs over the same verdicts: each door translates requests and replies, and nothing else."""
