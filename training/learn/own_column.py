"""A column of the wide part that is fitted with a constant of its own: for threats.

Without a constant the tokens at the ends of a text carry it, and a stretch in the middle of a long text has no ends.
The other columns have none: their thresholds are sought afterwards, on dev rows, and no dev row is a threat.
"""

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression

from training.data.sources import Row
from training.learn.wide import OwnColumn, Wide, WidePlan, counted, features_of, packed, rarity_of

log = logging.getLogger(__name__)

_MOST_PASSES = 60
_CONSTANT_SCALE = 10  # as good as free: its price is a hundredth of a weight's


def add_own_column(
    wide: Wide, rows: Sequence[Row], ids: Sequence[Sequence[int]], plan: WidePlan, window_tokens: int
) -> tuple[Wide, float]:
    """The wide part with the column of `plan.own` besides, and what the head's bias of its label must take up.

    `rows` and their `ids` are those that `wide` was fitted on.

    Raises:
        ValueError: the plan has no such column.
    """
    own = plan.own
    if own is None:
        raise ValueError("the plan has no label with a column of its own")
    said = [row.targets.get(own.label) for row in rows]
    known = [index for index, value in enumerate(said) if value in (0.0, 1.0)]
    log.info("wide part: %s, %d rows", own.label, len(known))
    rarity = rarity_of(counted(ids, plan.buckets, wide.pieces))
    features = features_of(ids, rarity, pieces=wide.pieces, window_tokens=window_tokens)[known]
    seen = np.ones(len(rarity))
    seen[list({row[0] for row in ids} | {row[-1] for row in ids})] = 0
    model = LogisticRegression(
        C=own.penalty, solver="liblinear", max_iter=_MOST_PASSES, intercept_scaling=_CONSTANT_SCALE
    )
    weights = [plan.weights.get(rows[index].source, 1.0) for index in known]
    model.fit(csr_matrix(features @ diags(seen)), [said[index] == 1.0 for index in known], sample_weight=weights)
    column = (model.coef_[0] * seen * rarity * own.share).astype(np.float32)
    return _beside(wide, column, own), own.share * float(model.intercept_[0]) - own.turn


def _beside(wide: Wide, column: npt.NDArray[np.float32], own: OwnColumn) -> Wide:
    """The same with one more column."""
    one = packed(column[:, None], (own.label,), wide.pieces)
    grown = Wide(len(column), wide.pieces, wide.table.shape[1] + 1, wide.spread.shape[1])
    grown.table[:, :-1], grown.table[:, -1] = wide.table, one.table[:, 0]
    grown.spread[:-1], grown.spread[-1] = wide.spread, one.spread[0]
    return grown
