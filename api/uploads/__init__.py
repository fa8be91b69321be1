"""Reads an uploaded file as a stream: from bytes over text and rows to the chunks of a job. Memory stays flat."""
