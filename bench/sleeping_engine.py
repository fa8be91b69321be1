"""A worker whose model sleeps instead of computing: what is left is what the service itself costs.

Everything else is the product's own, tokenizer and verdict included. For `bench.ceiling`, which sets how long a pass
sleeps: SLEEP_PASS_MS for each pass and SLEEP_TOKEN_US for each token of it, padding included.
"""

import os
import sys
import time
from collections.abc import Sequence

import numpy as np

from bundles.format import Bundle
from worker.inference.engines.protocol import Logits
from worker.main import main


class SleepingEngine:
    """Gives every text the same logits, after a while."""

    has_evidence = False

    def __init__(self, bundle: Bundle, threads: int) -> None:  # noqa: ARG002  as engines are made
        self._labels = len(bundle.config.labels)
        self._pass_s = float(os.environ["SLEEP_PASS_MS"]) / 1_000
        self._token_s = float(os.environ["SLEEP_TOKEN_US"]) / 1_000_000

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        """Zeros, for each row."""
        time.sleep(self._pass_s + self._token_s * len(rows) * max(map(len, rows)))
        return np.zeros((len(rows), self._labels), np.float32)


if __name__ == "__main__":
    sys.exit(main(SleepingEngine))
