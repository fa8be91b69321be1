"""The table of a cascade, fitted on what the model itself says: a logistic regression of pieces and pairs of pieces."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from bundles.cascade import FIRST, SECOND, SHIFT, UNKNOWN, ZERO, peaks_of
from training.data.batches import Floats
from training.learn.metrics import Flags

_LEVELS = 127
_MOST_PASSES = 40
_LARGEST = 0.999  # of the weights: the quantile that the largest byte stands for


@dataclass(frozen=True)
class TablePlan:
    """How a table is fitted.

    `pairs`: buckets of the pairs; `special`: tokens that stand before a text, and after it, which say nothing;
    `least_seen`: texts that a piece must be in to be known; `penalty`: the inverse of the price of a weight; `grave`:
    what a text counts that must not be lost.
    """

    pairs: int = 1 << 17
    least_seen: int = 3
    penalty: float = 2.0
    grave: float = 2.0
    special: int = 1


@dataclass(frozen=True)
class Table:
    """The fitted weights, as `bundles.cascade.CascadeTable` has them."""

    pieces: int
    weights: bytes
    step: float
    bias: float

    def margins(self, ids: Sequence[Sequence[int]]) -> Floats:
        """The margin of each text; infinite where one of its pieces is not known."""
        raw = np.frombuffer(self.weights, dtype=np.uint8)
        units = raw.astype(np.float64) - ZERO
        counts = counted(ids, self.pieces, len(raw) - self.pieces)
        found = self.bias + self.step * (counts @ units)
        unknown = np.zeros(len(raw))
        unknown[: self.pieces] = raw[: self.pieces] == UNKNOWN
        return np.where(counts @ unknown > 0, np.inf, found).astype(np.float32)

    def peaks(self, ids: Sequence[Sequence[int]], lengths: Sequence[int]) -> Floats:
        """The highest sum of a stretch of each length in each text, in logits: `[texts, lengths]`."""
        found = np.array([peaks_of(row, self.weights, self.pieces, lengths) for row in ids], dtype=np.float32)
        return (self.step * found).astype(np.float32)


def fit_table(ids: Sequence[Sequence[int]], bad: Flags, grave: Flags, plan: TablePlan, *, pieces: int) -> Table:
    """Fit the table on texts that the model finds clean or not (`bad`); of some a mistake is `grave`."""
    features = counted(ids, pieces, plan.pairs)
    model = LogisticRegression(C=plan.penalty, solver="liblinear", max_iter=_MOST_PASSES)
    model.fit(features, bad, sample_weight=np.where(grave, plan.grave, 1.0))
    weights = np.array(model.coef_[0])
    weights[[*ids[0][: plan.special], *ids[0][-plan.special :]]] = 0.0
    seen = np.asarray((features > 0).sum(axis=0)).ravel()
    # A few weights of curses are far larger than all others; cut off, they leave finer steps and still condemn.
    step = float(np.quantile(np.abs(weights[weights != 0]), _LARGEST)) / _LEVELS
    raw = np.clip(np.round(weights / step), -_LEVELS, _LEVELS).astype(np.int64) + ZERO
    raw[:pieces][seen[:pieces] < plan.least_seen] = UNKNOWN
    return Table(pieces, raw.astype(np.uint8).tobytes(), step, float(model.intercept_[0]))


def counted(ids: Sequence[Sequence[int]], pieces: int, pairs: int) -> csr_matrix:
    """How often each piece and pair is in each text, over the square root of its length: `[texts, pieces + pairs]`."""
    lengths = np.array([len(row) for row in ids])
    flat = np.concatenate([np.array(row, dtype=np.int64) for row in ids])
    ends = np.cumsum(lengths)
    first = flat[:-1] * FIRST + flat[1:] * SECOND + SHIFT
    in_one_text = np.ones(len(flat) - 1, dtype=np.bool_)
    in_one_text[ends[:-1] - 1] = False
    columns = np.concatenate([flat, first[in_one_text] % pairs + pieces])
    of_piece = np.repeat(np.arange(len(ids)), lengths)
    rows = np.concatenate([of_piece, of_piece[1:][in_one_text]])
    values = (1 / np.sqrt(lengths))[rows]
    return csr_matrix((values, (rows, columns)), shape=(len(ids), pieces + pairs))
