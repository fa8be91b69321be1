"""How much a text reads like a comment under the news, for a label that is judged otherwise there.

K-MHaS calls many a harsh word about a group *not_hate* that other sources would act on, and its comments stand under
news. Read by one threshold, its standard holds for every text there is: of other people's hate a fifth was passed over,
where 1.7 % of their harmless text was flagged. So what a text says of its genre counts against the label.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression

from training.data.signals import ANY
from training.data.sources import Row

_MOST_PASSES = 60
_CONSTANT_SCALE = 10  # as good as free: its price is a hundredth of a weight's


@dataclass(frozen=True)
class Genre:
    """Sources whose texts are told from those of `others`; the log odds, times `share`, are taken off `label`."""

    label: str = "hate"
    sources: tuple[str, ...] = ("kmhas",)
    others: tuple[str, ...] = ("curse_detection", "hatescore")
    share: float = 0.36
    penalty: float = 0.03


def genre_weights(
    rows: Sequence[Row], features: csr_matrix, ends: Sequence[int], genre: Genre
) -> npt.NDArray[np.float64]:
    """The weights `[buckets]` of a logistic regression that tells the genre of `rows`, as `features` has them.

    Good and bad texts count the same on both sides, so that the weights say nothing of a label. What stands at the
    `ends` of a text has none, nor have they a constant: a stretch in the middle of a long text has no ends.
    """
    known = [index for index, row in enumerate(rows) if row.source in (*genre.sources, *genre.others)]
    sides = np.array([rows[index].source in genre.sources for index in known], dtype=np.bool_)
    if not known or sides.all() or not sides.any():
        return np.zeros(features.shape[1])
    seen = np.ones(features.shape[1])
    seen[list(ends)] = 0
    model = LogisticRegression(
        C=genre.penalty, solver="liblinear", max_iter=_MOST_PASSES, intercept_scaling=_CONSTANT_SCALE
    )
    model.fit(csr_matrix(features[known] @ diags(seen)), sides, sample_weight=_even([rows[index] for index in known]))
    found: npt.NDArray[np.float64] = model.coef_[0] * seen
    return found


def _even(rows: Sequence[Row]) -> npt.NDArray[np.float64]:
    """Weights by which the good and the bad texts of every source count the same; 1 in the mean."""
    groups = [(row.source, row.targets.get(ANY)) for row in rows]
    sizes = {group: groups.count(group) for group in dict.fromkeys(groups)}
    return np.array([len(rows) / len(sizes) / sizes[group] for group in groups])
