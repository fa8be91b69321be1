"""Finds the spans of a text: what of it made its labels count.

Where the graph tells how much each token adds (`docs/model-bundles.md`, "evidence"), that is read from the same pass as
the scores. For any other graph, words are left out one after the other, in passes of their own: up to
`MAX_OCCLUSIONS` for a text.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from bundles.text.words import word_of_each
from shared.options import VerdictOptions
from shared.verdict import Span, Verdict
from worker.inference.engines.protocol import Logits
from worker.inference.tokenizer import TracedWindows
from worker.inference.turns import WindowResult
from worker.inference.verdict import Judge
from worker.spans.selection import choose_words, spans_of
from worker.spans.words import SentWords, sent_words

# Extra windows that a graph without evidence reads for one text. More words than that are left out in groups.
MAX_OCCLUSIONS = 32

Falls = NDArray[np.float64]
# Words that are left out together: the window, and their numbers in the text.
Group = tuple[int, list[int]]


@dataclass(eq=False)
class Explanation:
    """One text to be explained: as it was sent, where its words and tokens are, and what was asked about it."""

    text: str
    options: VerdictOptions
    encoded: TracedWindows
    special_tokens: tuple[int, int]
    groups: list[Group] = field(default_factory=list)

    @cached_property
    def words(self) -> SentWords:
        """The words of the text."""
        return sent_words(self.encoded.traced)

    @cached_property
    def signs_only(self) -> list[int]:
        """The numbers of the words without any letter: what they add is punctuation's, and they are never marked."""
        read = self.encoded.traced.text
        return [at for at, (start, end) in enumerate(self.words.read) if not any(map(str.isalnum, read[start:end]))]

    @cached_property
    def word_of_tokens(self) -> list[list[int]]:
        """For each window, the number of the word that each of its tokens, special ones aside, is in."""
        return [
            word_of_each(ranges, self.words.read) if self.words.read else [] for ranges in self.encoded.token_ranges
        ]

    def plan_occlusions(self, guilty: Sequence[int]) -> list[list[int]]:
        """Windows to read besides: those in `guilty`, each with another word, or group of words, left out."""
        words_in = {window: sorted(set(self.word_of_tokens[window])) for window in guilty}
        size = math.ceil(sum(map(len, words_in.values())) / MAX_OCCLUSIONS)
        self.groups = [
            (window, words[at : at + size]) for window, words in words_in.items() for at in range(0, len(words), size)
        ][:MAX_OCCLUSIONS]
        return [self._without(window, words) for window, words in self.groups]

    def _without(self, window: int, words: Sequence[int]) -> list[int]:
        ids = self.encoded.windows[window]
        first, _ = self.special_tokens
        left_out = {at + first for at, word in enumerate(self.word_of_tokens[window]) if word in words}
        return [token for at, token in enumerate(ids) if at not in left_out]

    def measured_falls(self, window: int, full: Logits, rest: Sequence[WindowResult]) -> Falls:
        """Falls `[words, labels]` of the logits, from the passes that `plan_occlusions` asked for."""
        falls = np.zeros((len(self.words.read), len(full)))
        for (of_window, words), result in zip(self.groups, rest, strict=True):
            if of_window == window:
                falls[words] = (full - result.logits) / len(words)
        return falls

    def told_falls(self, window: int, row: WindowResult) -> Falls:
        """Falls `[words, labels]` of the logits, as the graph tells them."""
        falls = np.zeros((len(self.words.read), len(row.logits)))
        if row.evidence is not None:
            first, last = self.special_tokens
            np.add.at(falls, self.word_of_tokens[window], row.evidence[first : len(row.evidence) - last])
        return falls


class Explainer:
    """Explains verdicts of one bundle. Thread-safe."""

    def __init__(self, judge: Judge, labels: Sequence[str], clean_label: str | None, *, is_single: bool) -> None:
        self._judge = judge
        self._place = {label: at for at, label in enumerate(labels)}
        self._clean_label = clean_label
        self._is_single = is_single

    def guilty_labels(self, verdict: Verdict) -> list[str]:
        """The labels that spans are given for: those that count, and are not the clean one."""
        return [label for label in verdict.labels if label != self._clean_label and label in self._place]

    def guilty_windows(
        self, explanation: Explanation, rows: Sequence[WindowResult], labels: Sequence[str]
    ) -> list[int]:
        """The windows in which one of these labels counts."""
        if len(rows) == 1 or not labels:
            return list(range(len(rows))) if labels else []
        said = [self._judge.judge([row.logits], explanation.options).labels for row in rows]
        return [at for at, of_window in enumerate(said) if set(labels).intersection(of_window)] or [*range(len(rows))]

    def occlusions(
        self, explanation: Explanation, rows: Sequence[WindowResult], options: VerdictOptions
    ) -> list[list[int]]:
        """The windows to read besides, where the graph does not tell what its tokens add."""
        verdict = self._judge.judge([row.logits for row in rows], options)
        return explanation.plan_occlusions(self.guilty_windows(explanation, rows, self.guilty_labels(verdict)))

    def spans(
        self, explanation: Explanation, rows: Sequence[WindowResult], rest: Sequence[WindowResult], verdict: Verdict
    ) -> list[Span]:
        """The spans of a text, label by label as the verdict has them; `rest` are the results of its occlusions."""
        labels = self.guilty_labels(verdict)
        guilty = self.guilty_windows(explanation, rows, labels)
        if rest:
            falls = {at: explanation.measured_falls(at, rows[at].logits, rest) for at in guilty}
        else:
            falls = {at: explanation.told_falls(at, rows[at]) for at in guilty}
        for matrix in falls.values():
            matrix[explanation.signs_only] = 0.0
        found: list[Span] = []
        blamed: set[int] = set()
        for label in labels:
            highest, chosen = self._choose(label, rows, falls, explanation.options, blamed)
            blamed |= chosen
            found += spans_of(explanation.text, label, explanation.words.sent, highest, chosen)
        return found

    def _choose(
        self,
        label: str,
        rows: Sequence[WindowResult],
        falls: dict[int, Falls],
        options: VerdictOptions,
        blamed: set[int],
    ) -> tuple[Falls, set[int]]:
        """The highest fall of each word over the windows, and the words at fault in a window where the label counts.

        Where it would not count without the words that are `blamed` for other labels already, it is these.
        """
        of_label = {at: self._of_label(label, rows[at].logits, matrix) for at, matrix in falls.items()}
        chosen: set[int] = set()
        for at, values in of_label.items():
            still_counts = partial(self._still_counts, label, rows[at].logits, falls[at], options)
            if len(of_label) == 1 or still_counts(()):
                shared = [word for word in sorted(blamed) if values[word] > 0]
                enough = bool(shared) and not still_counts(shared)
                chosen.update(shared if enough else choose_words(values, still_counts))
        return np.max(list(of_label.values()), axis=0), chosen

    def _still_counts(
        self, label: str, logits: Logits, falls: Falls, options: VerdictOptions, without: Sequence[int]
    ) -> bool:
        rest = (logits - falls[list(without)].sum(axis=0)).astype(np.float32)
        return label in self._judge.judge([rest], options).labels

    def _of_label(self, label: str, logits: Logits, falls: Falls) -> Falls:
        """How much each word speaks for the label; where one label is true, against the others."""
        at = self._place[label]
        if not self._is_single or falls.shape[1] < 2:
            return np.asarray(falls[:, at])
        others = np.delete(logits.astype(np.float64), at)
        weights = np.exp(others - others.max())
        return np.asarray(falls[:, at] - np.delete(falls, at, axis=1) @ (weights / weights.sum()))
