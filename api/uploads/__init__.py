"""Reads an uploaded file of any format as a stream of rows, in constant memory."""
