"""Finds, downloads and uploads models on the Hugging Face Hub."""
