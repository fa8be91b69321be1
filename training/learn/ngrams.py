"""A second opinion for distillation: linear models of a source's words and character n-grams.

On a few thousand labelled comments a fine-tuned encoder and a plain linear model of n-grams are about equally good
(Wang and Manning, 2012) and wrong in different places, so the student is taught what both say together. Only the
student is served; the n-grams are left behind.
"""

import logging
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import FeatureUnion, make_union
from tqdm import tqdm

from bundles.text.normalise import normalise
from training.data.batches import Floats
from training.data.sources import Row
from training.learn.metrics import Flags

log = logging.getLogger(__name__)

_FOLDS = 4
_LEAST_OF_A_CLASS = 2 * _FOLDS  # with fewer rows there is nothing to learn n-grams from


def opinions(rows: Sequence[Row], signals: Sequence[str]) -> Floats:
    """Logits `[rows, signals]` of linear models, each fitted on the rows of its signal's own source.

    A row that a model is fitted on gets its logit from a fit without it (cross-fitting): told what it already knows,
    the student would learn nothing from it. NaN throughout where a source has too few rows.
    """
    texts = [normalise(row.text) for row in rows]
    found = np.full((len(rows), len(signals)), np.nan, dtype=np.float32)
    features: dict[str, csr_matrix] = {}
    for column, signal in enumerate(tqdm(signals, desc="n-grams")):
        source = signal.split("/")[0]
        own = [index for index, row in enumerate(rows) if row.source == source and signal in row.targets]
        truth = np.array([rows[index].targets[signal] > 0.5 for index in own], dtype=np.bool_)
        if min(truth.sum(), len(truth) - truth.sum()) < _LEAST_OF_A_CLASS:
            log.warning("too few rows of %s for a second opinion on it", signal)
            continue
        if source not in features:
            vectoriser = _vectoriser().fit([texts[index] for index in own])
            features[source] = csr_matrix(vectoriser.transform(texts), dtype=np.float32)
        found[:, column] = _cross_fitted(features[source], own, truth)
    return found


def _vectoriser() -> FeatureUnion:
    return make_union(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 5), min_df=2, sublinear_tf=True, dtype=np.float32),
        TfidfVectorizer(sublinear_tf=True, dtype=np.float32),
    )


def _cross_fitted(features: csr_matrix, own: list[int], truth: Flags) -> Floats:
    model = LogisticRegression(C=3, solver="liblinear")
    logits = np.empty(features.shape[0], dtype=np.float32)
    if len(own) < len(logits):
        logits[:] = model.fit(features[own], truth).decision_function(features)
    logits[own] = cross_val_predict(model, features[own], truth, cv=_FOLDS, method="decision_function")
    return logits
