"""From texts to verdicts: tokenizer, windows, micro-batcher, engines, verdict. It knows no queue."""
