"""A wide part beside the encoder: hashed pieces and pairs of pieces, each with a weight for some of the outputs.

A network that reads context and a linear model that knows its words by heart err in different places, and their sum is
better than either (wide and deep, Cheng et al., 2016). The linear model is a table in the graph, looked up with hashed
pairs of token ids (as fastText hashes n-grams, Joulin et al., 2017), so its weights add to each token's own and a text
is read in windows, stretch by stretch, as before.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from training.data.batches import Floats
from training.data.signals import OFFENSIVE, SIGNAL_INDEX, SIGNALS, offensive
from training.data.sources import Row

log = logging.getLogger(__name__)

WIDE_TABLE, WIDE_SPREAD = "wide.table", "wide.spread"
"""What the two are called in a network's weights and in its graph."""
_FIRST, _SECOND, _SHIFT = 8_191, 131, 7  # of the hash of a pair; small enough for any vocabulary in int64
_LEVELS = 127
_MOST_PASSES = 60
_OTHERS_WEIGHT, _STRICTEST_PENALTY = 0.03, 0.5
"""Of the strictest standard: what a row of another source counts there, and the inverse of the price of a weight."""
_SCRIPTS = "clean/scripts"  # counts in full: that source holds hardly a word of another script, which is no offence


class Wide(nn.Module):
    """Token ids `[batch, length]` -> what each token adds, `[batch, length, outputs]`.

    `table` `[buckets, columns]` holds int8 weights; `spread` `[columns, outputs]` brings them to logits. A piece has
    the bucket of its id; a pair, which counts at its second token, one of those above the vocabulary.
    """

    table: Tensor
    spread: Tensor

    def __init__(self, buckets: int, pieces: int, columns: int, outputs: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.register_buffer("table", torch.zeros(buckets, columns, dtype=torch.int8))
        self.register_buffer("spread", torch.zeros(columns, outputs))

    def forward(self, input_ids: Tensor) -> Tensor:
        """The sum of a token's own weight and that of the pair it ends; the first token ends none."""
        pairs = pair_buckets(input_ids[:, :-1], input_ids[:, 1:], len(self.table), self.pieces)
        of_pairs = nn.functional.pad(self.table[pairs].float(), (0, 0, 1, 0))
        return (self.table[input_ids].float() + of_pairs) @ self.spread

    def of_outputs(self, rows: Sequence[int]) -> "Wide":
        """The same for some of the outputs, in that order. The table is shared."""
        chosen = Wide(1, self.pieces, self.table.shape[1], len(rows))
        chosen.table, chosen.spread = self.table, self.spread[:, list(rows)].clone()
        return chosen


def pair_buckets(first: Tensor, second: Tensor, buckets: int, pieces: int) -> Tensor:
    """The bucket of each pair of neighbouring token ids."""
    return (first * _FIRST + second * _SECOND + _SHIFT) % (buckets - pieces) + pieces


@dataclass(frozen=True)
class OwnColumn:
    """A label whose column is fitted with a constant; it counts from a logit of `turn` on, which the bias takes up."""

    label: str
    share: float = 0.8
    penalty: float = 1.0
    turn: float = 0.5


@dataclass(frozen=True)
class WidePlan:
    """How large the table is, what it is told, and how much it has to say.

    `share`: of its logits in the sum; `weights`: of a source's rows, 1 where none is named; `most`: rows of a source,
    all where none is named; `penalty`: the inverse of the price of a weight; `own`: a label with a fit of its own.
    """

    labels: tuple[str, ...] = ("curse", "insult", "hate")
    buckets: int = 1 << 17
    share: float = 0.25
    penalty: float = 1.0
    strictest: bool = True  # whether it also says, by itself, what the strictest source calls offensive
    weights: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    own: OwnColumn | None = None


def fit_wide(
    rows: Sequence[Row], ids: Sequence[Sequence[int]], plan: WidePlan, *, pieces: int, window_tokens: int
) -> Wide:
    """A logistic regression of each label on the rows that say whether it holds, read as `CommentNetwork` adds it up.

    Pieces count by how rare they are (inverse document frequency), which makes the weights of rare ones cheap.
    """
    rarity = rarity_of(counted(ids, plan.buckets, pieces))
    features = features_of(ids, rarity, pieces=pieces, window_tokens=window_tokens)
    columns = []
    for label in plan.labels:
        said = [row.targets.get(label) for row in rows]
        weights = [plan.weights.get(row.source, 1.0) for row in rows]
        columns.append(_weights_of(label, said, weights, features, plan.penalty) * rarity * plan.share)
    labels = plan.labels
    if plan.strictest:
        said = [offensive(row.targets, row.source) for row in rows]
        weights = [1.0 if OFFENSIVE in row.targets or row.source == _SCRIPTS else _OTHERS_WEIGHT for row in rows]
        columns.append(_weights_of(OFFENSIVE, said, weights, features, _STRICTEST_PENALTY) * rarity)
        labels = (*labels, OFFENSIVE)
    return packed(np.stack(columns, axis=1).astype(np.float32), labels, pieces)


def _weights_of(
    label: str, said: Sequence[float | None], weights: Sequence[float], features: csr_matrix, penalty: float
) -> npt.NDArray[np.float64]:
    """The weights `[buckets]` of a logistic regression on the rows of which it is `said` whether the label holds."""
    known = [index for index, value in enumerate(said) if value in (0.0, 1.0)]
    truth = np.array([said[index] == 1.0 for index in known], dtype=np.bool_)
    log.info("wide part: %s, %d rows, %d of them so", label, len(known), truth.sum())
    if truth.all() or not truth.any():
        return np.zeros(features.shape[1])
    model = LogisticRegression(C=penalty, solver="liblinear", max_iter=_MOST_PASSES)
    model.fit(features[known], truth, sample_weight=[weights[index] for index in known])
    found: npt.NDArray[np.float64] = model.coef_[0]
    return found


def rarity_of(counts: csr_matrix) -> npt.NDArray[np.float64]:
    """The inverse document frequency of each bucket."""
    in_texts = np.asarray((counts > 0).sum(0)).ravel()
    found: npt.NDArray[np.float64] = np.log((1 + counts.shape[0]) / (1 + in_texts)) + 1
    return found


def features_of(
    ids: Sequence[Sequence[int]], rarity: npt.NDArray[np.float64], *, pieces: int, window_tokens: int
) -> csr_matrix:
    """Texts `[texts, buckets]` as `CommentNetwork` reads them: the sum over the square root of the length."""
    lengths = np.array([len(row) for row in ids], dtype=np.float64)
    weights = np.sqrt(np.minimum(lengths, window_tokens)) / lengths
    return csr_matrix(diags(weights) @ counted(ids, len(rarity), pieces) @ diags(rarity))


def counted(ids: Sequence[Sequence[int]], buckets: int, pieces: int) -> csr_matrix:
    """How often each bucket occurs in each text, `[texts, buckets]`."""
    found, ends = [], [0]
    for row in ids:
        own = torch.tensor(row)
        found.append(torch.cat([own, pair_buckets(own[:-1], own[1:], buckets, pieces)]).numpy())
        ends.append(ends[-1] + len(found[-1]))
    ones = np.ones(ends[-1], dtype=np.float32)
    return csr_matrix((ones, np.concatenate(found), ends), shape=(len(ids), buckets))


def packed(weights: Floats, labels: Sequence[str], pieces: int) -> Wide:
    """The weights `[buckets, labels]` in int8, a scale a label."""
    wide = Wide(len(weights), pieces, len(labels), len(SIGNALS))
    steps = np.abs(weights).max(axis=0) / _LEVELS
    with torch.no_grad():
        wide.table.copy_(torch.from_numpy(np.round(weights / np.where(steps > 0, steps, 1)).astype(np.int8)))
        for column, label in enumerate(labels):
            wide.spread[column, SIGNAL_INDEX[label]] = float(steps[column])
    return wide
