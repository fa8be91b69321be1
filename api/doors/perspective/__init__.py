"""The door for clients of Perspective API (`v1alpha1`, Comment Analyzer)."""
