"""Which words of a window made a label count, given how much the label's logit would fall without each of them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from bundles.text.words import Range
from shared.verdict import Span

Falls = NDArray[np.float64]
# A word beside the best one is marked with it if it has at least this share of what the best one has: 미친 새끼.
NEIGHBOUR_SHARE = 0.7
# A word elsewhere is a further culprit from this share on, while the text without those found before is still guilty.
FURTHER_SHARE = 0.8
MOST_WORDS = 6  # marked in one window for one label
SHARE_DIGITS = 3

StillCounts = Callable[[Sequence[int]], bool]


def choose_words(falls: Falls, still_counts: StillCounts) -> list[int]:
    """The places of the words at fault, worst first; none where leaving out any word would raise the score.

    `falls` is one for each word. `still_counts` says whether the label would count without the words at some places.
    """
    if not len(falls) or falls.max() <= 0:
        return []
    best = int(falls.argmax())
    chosen = [best, *_neighbours(falls, best, 1), *_neighbours(falls, best, -1)]
    for place in map(int, np.argsort(-falls)):
        if len(chosen) >= MOST_WORDS or falls[place] < FURTHER_SHARE * falls[best] or not still_counts(chosen):
            break
        if place not in chosen:
            chosen.append(place)
    return chosen


def _neighbours(falls: Falls, best: int, step: int) -> Iterator[int]:
    place = best + step
    while 0 <= place < len(falls) and falls[place] >= NEIGHBOUR_SHARE * falls[best]:
        yield place
        place += step


def spans_of(text: str, label: str, words: Sequence[Range], falls: Falls, chosen: set[int]) -> list[Span]:
    """The chosen words as spans of `text`, neighbours as one, the one with the largest share first.

    A share is of all that speaks for the label: of the falls that are positive.
    """
    positive = np.maximum(falls, 0.0)
    total = float(positive.sum())
    spans = []
    for _, run in groupby(enumerate(sorted(chosen)), lambda pair: pair[1] - pair[0]):
        places = [place for _, place in run]
        start, end = words[places[0]][0], words[places[-1]][1]
        share = float(positive[places].sum()) / total if total else 0.0
        spans.append(Span(label, start, end, text[start:end], round(share, SHARE_DIGITS)))
    return sorted(spans, key=lambda span: (-span.share, span.start))
