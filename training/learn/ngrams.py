"""A second opinion for distillation: linear models of a source's words, character n-grams, and pairs of pieces.

On a few thousand labelled comments a fine-tuned encoder and a plain linear model of n-grams are about equally good
(Wang and Manning, 2012) and wrong in different places, so the student is taught what both say together. Only the
student is served; the n-grams are left behind.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import FeatureUnion, make_union
from tokenizers import Tokenizer
from tqdm import tqdm

from bundles.text.normalise import normalise
from training.data.batches import Floats
from training.data.signals import TARGET_INDEX, TARGETS
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


@dataclass(frozen=True)
class Asked:
    """What n-grams of `source` are asked of its own rows, and of those of `others`, which say nothing themselves."""

    source: str
    targets: tuple[str, ...]
    others: tuple[str, ...] = ()


def source_opinions(rows: Sequence[Row], asked: Sequence[Asked], tokenizer: Tokenizer | None = None) -> Floats:
    """Logits `[rows, TARGETS]` as `opinions` gives them, of each source's standard for its kind of text, else NaN.

    With a tokenizer its pieces, one and two in a row, count beside the characters: they know a point of area more.
    """
    found = np.full((len(rows), len(TARGETS)), np.nan, dtype=np.float32)
    for item in asked:
        read = np.array([i for i, row in enumerate(rows) if row.source in (item.source, *item.others)], dtype=np.int64)
        texts = [normalise(rows[i].text) for i in read]
        own = [place for place, i in enumerate(read) if rows[i].source == item.source]
        vectoriser = _vectoriser(tokenizer).fit([texts[place] for place in own])
        features = csr_matrix(vectoriser.transform(texts), dtype=np.float32)
        for target in tqdm(item.targets, desc=f"n-grams of {item.source}"):
            known = [place for place in own if rows[read[place]].targets.get(target) in (0.0, 1.0)]
            truth = np.array([rows[read[place]].targets[target] == 1.0 for place in known], dtype=np.bool_)
            if min(truth.sum(), len(truth) - truth.sum()) < _LEAST_OF_A_CLASS:
                log.warning("too few rows of %s for a second opinion on %s", item.source, target)
                continue
            found[read, TARGET_INDEX[target]] = _cross_fitted(features, known, truth)
    return found


def _vectoriser(tokenizer: Tokenizer | None = None) -> FeatureUnion:
    parts = [
        TfidfVectorizer(analyzer="char", ngram_range=(1, 5), min_df=2, sublinear_tf=True, dtype=np.float32),
        TfidfVectorizer(sublinear_tf=True, dtype=np.float32),
    ]
    if tokenizer:
        parts.append(TfidfVectorizer(analyzer=_pieces_by(tokenizer), sublinear_tf=True, dtype=np.float32))
    return make_union(*parts)


def _pieces_by(tokenizer: Tokenizer) -> Callable[[str], list[str]]:
    """What splits a text into its pieces and the pairs of neighbouring ones."""

    def split(text: str) -> list[str]:
        pieces: list[str] = tokenizer.encode(text).tokens
        return pieces + [f"{first} {second}" for first, second in pairwise(pieces)]

    return split


def _cross_fitted(features: csr_matrix, own: list[int], truth: Flags) -> Floats:
    model = LogisticRegression(C=3, solver="liblinear")
    logits = np.empty(features.shape[0], dtype=np.float32)
    if len(own) < len(logits):
        logits[:] = model.fit(features[own], truth).decision_function(features)
    logits[own] = cross_val_predict(model, features[own], truth, cv=_FOLDS, method="decision_function")
    return logits
