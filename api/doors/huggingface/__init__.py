"""The door for clients of Hugging Face: its inference API, and Text Embeddings Inference."""
