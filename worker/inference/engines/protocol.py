"""The interface of an engine: token ids in, logits out."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]


class Engine(Protocol):
    """One loaded model. Only the model thread calls it, so it need not be thread-safe."""

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        """Logits `[len(rows), labels]` of token id rows, which may differ in length and include special tokens.

        Raises:
            Exception: whatever the model raises; the batcher finds the window at fault.
        """
        ...
