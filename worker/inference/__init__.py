"""From texts to verdicts: tokenizer, windows, micro-batcher, engines, verdict. It does not know the queue."""
