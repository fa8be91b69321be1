"""Engines turn token ids into logits. One module each; all follow `worker.inference.engines.protocol`."""
