"""Keyword filters from PyPI, asked the same questions on the same rows: what people use today."""

import importlib
import logging
from collections.abc import Callable

import numpy as np

from training.learn.metrics import Confusion, confusion
from training.score.evaluate import QUESTIONS
from training.ship.calibrate import Dev

log = logging.getLogger(__name__)

Filter = Callable[[str], bool]
VERSIONS = {"korcen": "1.0.3", "nerv-filter": "0.1.0"}


def load_filters() -> dict[str, Filter]:
    """The filters that are installed, by name; one that is not is said and left out."""
    loaders: dict[str, Callable[[], Filter]] = {"korcen": _korcen, "nerv-filter": _nerv_filter}
    filters = {}
    for name, load in loaders.items():
        try:
            filters[name] = load()
        except ImportError:
            log.warning("%s is not installed and is left out: pip install %s==%s", name, name, VERSIONS[name])
    return filters


def _korcen() -> Filter:
    check = importlib.import_module("korcen.korcen").check
    return lambda text: bool(check(text))


def _nerv_filter() -> Filter:
    logging.getLogger("nerv_filter").setLevel(logging.WARNING)
    analyse = importlib.import_module("nerv_filter").NervFilter().analyze
    return lambda text: analyse(text).action.value != "NORMAL"


def score_filter(flags_text: Filter, dev: Dev) -> dict[str, Confusion]:
    """The filter's one yes or no against each question but sentiment."""
    flagged = np.array([flags_text(row.text) for row in dev.rows], dtype=bool)
    scores = {}
    for question in QUESTIONS:
        if question.truth.startswith("nsmc"):
            continue
        known, truth = dev.truth(question.truth)
        scores[question.name] = confusion(flagged[known], truth[known])
    return scores
