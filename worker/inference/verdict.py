"""From the logits of a text's windows to what a moderator reads: scores, labels, one word."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundles.calibration import make_curve
from bundles.format import BundleConfig
from shared.errors import SettingsError, UnsupportedOptionError
from shared.options import LEVELS, NO_OPTIONS, STANDARD, Level, VerdictOptions, check_supported
from shared.verdict import Verdict
from worker.inference.engines.protocol import Logits

DEFAULT_THRESHOLD = 0.5
SCORE_DIGITS = 4
SCORE_UNITS = 10.0**SCORE_DIGITS
# Further from a unit than this, the product's own rounding may decide which one is nearest.
SURELY_NEAR = 0.499999
LARGEST_LOGIT = 60.0
# Different options whose thresholds are kept ready; a client may send as many as it likes.
RULES_KEPT = 256

Scores = NDArray[np.float64]


class Judge:
    """Applies one bundle's rules, and the thresholds that settings or a caller put over them.

    `docs/model-bundles.md` states the rules. Thread-safe.

    Raises:
        SettingsError: THRESHOLDS names a label, or STRICTNESS a level, that the model does not have.
    """

    def __init__(self, config: BundleConfig, thresholds: Mapping[str, float], strictness: Level = STANDARD) -> None:
        unknown = sorted(set(thresholds) - set(config.labels))
        if unknown:
            raise SettingsError(f"THRESHOLDS: the model has no label {', '.join(unknown)}; it has {config.labels}")
        self._name = config.name
        self._labels = [*config.labels, *([config.clean_label] if config.clean_label else [])]
        self._decide = MultiLabelDecision(config) if _is_multi_label(config) else SingleLabelDecision(config)
        self.strictness = strictness
        self.levels = _levels(config, thresholds)
        try:
            check_supported(VerdictOptions(strictness), config.name, self.levels, self._labels)
        except UnsupportedOptionError as error:
            raise SettingsError(f"STRICTNESS={strictness}: {error.message}") from error
        # One cache for each judge, so that it goes with it.
        self._rules_for = lru_cache(RULES_KEPT)(self._make_rules)

    @property
    def thresholds(self) -> dict[str, float]:
        """Label -> score from which it counts, where the caller sets nothing."""
        return self.levels[self.strictness]

    def thresholds_for(self, options: VerdictOptions) -> dict[str, float]:
        """Label -> score from which it counts for a caller with these options, which are supported."""
        return {**self.levels[options.strictness or self.strictness], **dict(options.thresholds)}

    def check(self, options: VerdictOptions) -> None:
        """Check that this model can follow `options`.

        Raises:
            UnsupportedOptionError: it lacks a level or a label that they name.
        """
        self._rules_for(options)

    def judge(self, windows: Sequence[Logits], options: VerdictOptions = NO_OPTIONS) -> Verdict:
        """The verdict on one text from the logits `[labels]` of each of its windows.

        Raises:
            UnsupportedOptionError: the model lacks the level or a label that `options` name.
        """
        return self._decide(windows, self._rules_for(options))

    def _make_rules(self, options: VerdictOptions) -> "Rules":
        check_supported(options, self._name, self.levels, self._labels)
        return self._decide.rules(self.thresholds_for(options), options.labels)


def _is_multi_label(config: BundleConfig) -> bool:
    return config.problem_type == "multi_label_classification"


def _levels(config: BundleConfig, overrides: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Each level's thresholds. A label that a level does not name has that of `thresholds`, else 0.5."""
    labels = [label for label in config.labels if _is_multi_label(config) and label != config.clean_label]
    by_level = {STANDARD: config.thresholds, **config.strictness}
    return {
        level: {
            label: overrides.get(label, by_level[level].get(label, config.thresholds.get(label, DEFAULT_THRESHOLD)))
            for label in labels
        }
        for level in LEVELS
        if level in by_level
    }


class Rules(NamedTuple):
    """What one request set, ready to be applied.

    `turns` are places of labels, each with the score from which it counts; `matter` the places of those that may count,
    None for all.
    """

    turns: tuple[tuple[int, float], ...] = ()
    matter: frozenset[int] | None = None


class SingleLabelDecision:
    """One label is true: the one with the highest softmax."""

    def __init__(self, config: BundleConfig) -> None:
        self._labels = config.labels
        self._clean_label = config.clean_label
        has_clean = config.clean_label is not None
        self._accusing = [at for at, label in enumerate(config.labels) if has_clean and label != config.clean_label]

    def rules(self, _thresholds: Mapping[str, float], labels: Sequence[str] | None) -> Rules:
        """The highest label needs no threshold; where some alone matter, it is the highest of these and of clean."""
        if labels is None:
            return Rules()
        if self._clean_label is None:
            raise UnsupportedOptionError(
                "the model has no clean label to answer where no label that matters applies", param="labels"
            )
        wanted = {*labels, self._clean_label}
        return Rules(matter=frozenset(at for at, label in enumerate(self._labels) if label in wanted))

    def __call__(self, windows: Sequence[Logits], rules: Rules) -> Verdict:
        """The verdict on one text."""
        scores = self._of_the_text([_softmax(logits) for logits in windows]).tolist()
        by_label = dict(zip(self._labels, scores, strict=True))
        ranked = sorted(by_label, key=by_label.__getitem__, reverse=True)
        shown = {label: round(by_label[label], SCORE_DIGITS) for label in ranked}
        best = next(label for label in ranked if rules.matter is None or self._labels.index(label) in rules.matter)
        return Verdict(best, shown[best], shown, [best], len(windows))

    def _of_the_text(self, windows: list[Scores]) -> Scores:
        """The worst window speaks for the text; where no label means clean, the mean of the windows does."""
        if len(windows) == 1:
            return windows[0]
        stacked = np.stack(windows)
        if not self._accusing:
            return np.asarray(stacked.mean(axis=0))
        return windows[int(stacked[:, self._accusing].max(axis=1).argmax())]


def _softmax(logits: Logits) -> Scores:
    values = logits.astype(np.float64)
    exponentials = np.exp(values - values.max())
    return np.asarray(exponentials / exponentials.sum())


class MultiLabelDecision:
    """Each label may be true: it has the highest score that any window gives it, and counts from its threshold.

    Plain Python: of ten labels it takes half the time of NumPy, whose every call costs a microsecond.
    """

    def __init__(self, config: BundleConfig) -> None:
        labels, clean = config.labels, str(config.clean_label)
        at = {label: place for place, label in enumerate(labels)}
        parents = {name: parent for parent, names in config.sub_labels.items() for name in names}
        self._curves = [make_curve(config.calibration[name]) if name in config.calibration else None for name in labels]
        self._is_calibrated = bool(config.calibration)
        self._has_own_clean = clean in at
        self._clean_at = at.get(clean, len(labels))
        self._names = [*labels, *([] if clean in at else [clean])]
        self._parent_at = [at[parents.get(label, label)] for label in labels]
        # Scores that turn at 0.5 promise that the highest one is the answer, so a kind may not be above its parent.
        self._kinds = [place for place, parent in enumerate(self._parent_at) if parent != place]
        self._are_kinds_held = bool(config.strictness)
        self._tops = [place for place, label in enumerate(labels) if label not in parents and label != clean]
        # Where scores are equal: a label before its kinds, and `clean` last, as it is not the answer then.
        self._order = [*self._tops, *self._kinds, self._clean_at]

    def rules(self, thresholds: Mapping[str, float], labels: Sequence[str] | None) -> Rules:
        """These thresholds by the places of their labels."""
        turns = tuple((at, thresholds[self._names[at]]) for at in self._order if at != self._clean_at)
        return Rules(
            turns, None if labels is None else frozenset(at for at, name in enumerate(self._names) if name in labels)
        )

    def __call__(self, windows: Sequence[Logits], rules: Rules) -> Verdict:
        """The verdict on one text."""
        scores = self._scores(windows)
        passing = [at for at, threshold in rules.turns if scores[at] >= threshold]
        counted = self._counted(passing, rules) if passing else []
        best = self._best(counted, scores) if counted else self._clean_at
        ranked = sorted(self._order, key=scores.__getitem__, reverse=True)
        shown = {self._names[at]: rounded(scores[at]) for at in ranked}
        named = self._names[best]
        labels = [self._names[at] for at in ranked if at in counted] if counted else [named]
        return Verdict(named, shown[named], shown, labels, len(windows))

    def _counted(self, passing: Sequence[int], rules: Rules) -> list[int]:
        """The labels that count, of those whose scores are high enough: a kind only with its label."""
        parent_at = self._parent_at
        counted = [at for at in passing if parent_at[at] in passing]
        if rules.matter is None:
            return counted
        # A kind that matters brings its label along, which is the one to act on.
        mattering = rules.matter.intersection(counted)
        return [at for at in counted if at in mattering or at in {parent_at[kind] for kind in mattering}]

    def _best(self, counted: Sequence[int], scores: Sequence[float]) -> int:
        candidates = [at for at in counted if self._parent_at[at] == at]
        return max(candidates, key=scores.__getitem__) if candidates else self._clean_at

    def _scores(self, windows: Sequence[Logits]) -> list[float]:
        """One for each name. Curves and the sigmoid rise, so the highest logit has the highest score."""
        logits: list[float] = (windows[0] if len(windows) == 1 else self._highest(windows)).tolist()
        if self._is_calibrated:
            logits = [x if curve is None else curve(x) for x, curve in zip(logits, self._curves, strict=True)]
        scores = [_sigmoid(logit) for logit in logits]
        if self._are_kinds_held:
            for at in self._kinds:
                scores[at] = min(scores[at], scores[self._parent_at[at]])
        if not self._has_own_clean:
            scores.append(1.0 - max([scores[at] for at in self._tops]))
        return scores

    def _highest(self, windows: Sequence[Logits]) -> Logits:
        """Each label's highest logit; a text is as clean as its worst window."""
        stacked = np.stack(windows)
        highest: Logits = stacked.max(axis=0)
        if self._has_own_clean:
            highest[self._clean_at] = stacked[:, self._clean_at].min()
        return highest


def _sigmoid(logit: float) -> float:
    # Beyond 60 it is 0 or 1 to every digit that is shown.
    if logit < -LARGEST_LOGIT:
        logit = -LARGEST_LOGIT
    elif logit > LARGEST_LOGIT:
        logit = LARGEST_LOGIT
    return 1.0 / (1.0 + math.exp(-logit))


def rounded(score: float) -> float:
    """As `round`, which goes through decimal digits and takes twice as long."""
    scaled = score * SCORE_UNITS
    units = (scaled + 0.5) // 1.0
    return units / SCORE_UNITS if abs(scaled - units) < SURELY_NEAR else round(score, SCORE_DIGITS)
