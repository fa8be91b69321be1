"""The HTTP front end: validates texts, hands them to the queue, and answers. It imports no machine learning."""
