"""The interface of an engine: token ids in, logits out."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
# What each token adds to each label's logit, `[tokens, labels]`.
Evidence = NDArray[np.float32]


class Engine(Protocol):
    """One loaded model. Several model threads call it at the same time."""

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        """Logits `[len(rows), labels]` of token id rows, which may differ in length and include special tokens.

        Raises:
            Exception: whatever the model raises; the batcher finds the window at fault.
        """
        ...


@runtime_checkable
class ExplainingEngine(Engine, Protocol):
    """An engine whose graph may tell how much each token adds to each label."""

    @property
    def has_evidence(self) -> bool:
        """Whether this graph does."""
        ...

    def run_with_evidence(self, rows: Sequence[Sequence[int]]) -> tuple[Logits, list[Evidence]]:
        """As `run`, with the evidence of each row's tokens, special ones included."""
        ...
