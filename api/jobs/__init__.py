"""What the job routes are made of: the object that clients see, results as files, events, webhooks."""
