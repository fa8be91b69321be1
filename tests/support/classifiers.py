"""A classifier of echo texts, with an engine that the test brings and one model thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundles.format import load_bundle
from worker.inference.batcher import MicroBatcher
from worker.inference.classifier import Classifier
from worker.inference.engines.protocol import Engine
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge


@contextmanager
def running_classifier(engine: Engine, echo_bundle: Path, max_batch_tokens: int = 256) -> Iterator[Classifier]:
    """Its model thread runs until the end; let go what the engine holds before that."""
    bundle = load_bundle(echo_bundle)
    batcher = MicroBatcher(engine, max_batch_tokens=max_batch_tokens)
    batcher.start()
    try:
        yield Classifier(bundle, BundleTokenizer(bundle, max_windows=2), batcher, Judge(bundle.config, {}))
    finally:
        batcher.close()
