"""What is done around the model for the people who run a board: corrections, and the rules of policies."""
