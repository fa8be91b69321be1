"""Engines: what turns token ids into logits. One module each, all behind `worker.inference.engines.protocol`."""
