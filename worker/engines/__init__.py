"""Engines: what turns token ids into logits. One module each, all behind the protocol in `worker.engines.protocol`."""
