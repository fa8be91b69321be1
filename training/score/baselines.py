"""Keyword filters from PyPI, asked about the same texts: what people use today."""

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from training.data.sets import TextSet
from training.learn.metrics import Confusion, Flags
from training.score.evaluate import question_scores
from training.ship.serving import STRICTNESSES

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


def filter_flags(flags_text: Filter, sets: Sequence[TextSet]) -> dict[str, Flags]:
    """The filter's one yes or no for each text of each set."""
    return {item.name: np.array([flags_text(text) for text in item.texts], dtype=bool) for item in sets}


def filter_questions(by_set: Mapping[str, Flags]) -> dict[str, Confusion]:
    """The questions' counts by a filter, which knows no strictness."""
    return question_scores({f"{level}/{name}": flags for name, flags in by_set.items() for level in STRICTNESSES})
