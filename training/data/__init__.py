"""The labelled texts: read, merged, disguised, and cut into batches."""
