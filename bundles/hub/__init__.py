"""Models on the Hugging Face Hub: found, downloaded, uploaded."""
