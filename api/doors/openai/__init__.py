"""The door for clients of OpenAI's moderation API."""
