"""From the logits of a text's windows to what a moderator reads: scores, labels, one word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundles.format import BundleConfig
from shared.errors import SettingsError
from worker.inference.engines.protocol import Logits

DEFAULT_THRESHOLD = 0.5
SCORE_DIGITS = 4

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """`scores` by label, highest first; `labels` those that count; `classification` the one word."""

    classification: str
    confidence: float
    labels: list[str]
    scores: dict[str, float]


class Judge:
    """Applies one bundle's rules; `docs/model-bundles.md` states them.

    Raises:
        SettingsError: `THRESHOLDS` names a label that the model does not have.
    """

    def __init__(self, config: BundleConfig, threshold_overrides: Mapping[str, float]) -> None:
        unknown = sorted(set(threshold_overrides) - set(config.labels))
        if unknown:
            raise SettingsError(f"THRESHOLDS: the model has no label {', '.join(unknown)}; it has {config.labels}")
        self._config = config
        self._multi_label = config.problem_type == "multi_label_classification"
        self._parents = {name: parent for parent, names in config.sub_labels.items() for name in names}
        self.thresholds = {
            label: threshold_overrides.get(label, config.thresholds.get(label, DEFAULT_THRESHOLD))
            for label in config.labels
            if self._multi_label and label != config.clean_label
        }

    def judge(self, windows: Sequence[Logits]) -> Verdict:
        """The verdict on one text from the logits `[labels]` of each of its windows."""
        scores = self._decide([self._scores(logits) for logits in windows])
        by_label = dict(zip(self._config.labels, scores.tolist(), strict=True))
        if self._multi_label:
            return self._multi_label_verdict(by_label)
        best = max(by_label, key=by_label.__getitem__)
        return _verdict(best, [best], by_label)

    def _scores(self, logits: Logits) -> Scores:
        values = logits.astype(np.float64)
        if self._multi_label:
            return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -60, 60))))
        exponentials = np.exp(values - values.max())
        return np.asarray(exponentials / exponentials.sum())

    def _decide(self, windows: list[Scores]) -> Scores:
        """The worst window speaks for the text; where no label means clean, the mean of the windows does."""
        if len(windows) == 1:
            return windows[0]
        stacked = np.stack(windows)
        if self._config.clean_label is None:
            return np.asarray(stacked.mean(axis=0))
        accusing = [i for i, label in enumerate(self._config.labels) if label != self._config.clean_label]
        return windows[int(stacked[:, accusing].max(axis=1).argmax())]

    def _multi_label_verdict(self, by_label: dict[str, float]) -> Verdict:
        clean = str(self._config.clean_label)
        if clean not in by_label:
            top_level = [score for label, score in by_label.items() if label not in self._parents]
            by_label = {clean: 1.0 - max(top_level), **by_label}
        passing = [label for label, threshold in self.thresholds.items() if by_label[label] >= threshold]
        labels = [label for label in passing if self._parents.get(label, label) in passing]
        candidates = [label for label in labels if label not in self._parents]
        if not candidates:
            return _verdict(clean, [clean], by_label)
        return _verdict(max(candidates, key=by_label.__getitem__), labels, by_label)


def _verdict(classification: str, labels: list[str], by_label: dict[str, float]) -> Verdict:
    ranked = sorted(by_label, key=by_label.__getitem__, reverse=True)
    return Verdict(
        classification=classification,
        confidence=round(by_label[classification], SCORE_DIGITS),
        labels=sorted(labels, key=by_label.__getitem__, reverse=True),
        scores={label: round(by_label[label], SCORE_DIGITS) for label in ranked},
    )
