"""What a bundle does on sets of texts: the share it flags at each strictness, and scores against known truths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.batches import Floats
from training.data.sets import TextSet
from training.learn.metrics import Confusion, Flags, calibration_error, confusion
from training.ship.calibrate import Judged, known_truth
from training.ship.serving import STANDARD, STRICT, STRICTNESSES, Taxonomy, scores_of

_CALIBRATED_ROWS = 20_000


@dataclass(frozen=True)
class SetShare:
    """The share of one set that is flagged, by strictness (or, of a keyword filter, under the filter's name)."""

    name: str
    bad: bool
    limit: float | None
    tuned: bool
    texts: int
    flagged: Mapping[str, float]


@dataclass(frozen=True)
class Question:
    """A macro-F1 over one harmless and some bad sets, at one strictness."""

    name: str
    harmless: tuple[str, ...]
    bad: tuple[str, ...]
    strictness: str
    goal: float


QUESTIONS = (
    Question("K-MHaS, any label", ("K-MHaS not_hate",), ("K-MHaS any label",), STANDARD, 0.87),
    Question("curse-detection", ("curse-detection clean",), ("curse-detection curse",), STANDARD, 0.86),
    Question("BEEP, offensive or hate", ("BEEP none",), ("BEEP offensive", "BEEP hate"), STRICT, 0.78),
)


@dataclass(frozen=True)
class LabelScore:
    """One served label at `standard`, on the dev rows whose source knows its truth."""

    name: str
    counts: Confusion
    calibration_error: float


def flags(logits: Floats, taxonomy: Taxonomy, strictness: str) -> Flags:
    """Whether each text is anything but clean."""
    scores = scores_of(logits, taxonomy)[:, taxonomy.accusing]
    thresholds = np.array([taxonomy.labels[index].thresholds[strictness] for index in taxonomy.accusing])
    return np.asarray((scores >= thresholds - 1e-9).any(axis=1))


def share_of(found: Judged, taxonomy: Taxonomy) -> SetShare:
    """The set's shares at each strictness."""
    shares = {level: float(flags(found.logits, taxonomy, level).mean()) for level in STRICTNESSES}
    texts = found.texts
    return SetShare(texts.name, texts.bad, texts.limit, texts.tuned, len(texts.rows), shares)


def question_scores(by_set: Mapping[str, Flags]) -> dict[str, Confusion]:
    """Counts of each question whose sets are all there; `by_set`: what was flagged, by `strictness/set`."""
    scores = {}
    for question in QUESTIONS:
        names = [f"{question.strictness}/{name}" for name in (*question.harmless, *question.bad)]
        if all(name in by_set for name in names):
            truth = [np.full(len(by_set[name]), place >= len(question.harmless)) for place, name in enumerate(names)]
            flagged = np.concatenate([by_set[name] for name in names])
            scores[question.name] = confusion(flagged, np.concatenate(truth))
    return scores


def flags_by_set(judged: Sequence[Judged], taxonomy: Taxonomy) -> dict[str, Flags]:
    """What is flagged of each set at each strictness, as `question_scores` takes it."""
    return {
        f"{level}/{found.texts.name}": flags(found.logits, taxonomy, level)
        for found in judged
        for level in STRICTNESSES
    }


def score_labels(judged: Sequence[Judged], taxonomy: Taxonomy) -> list[LabelScore]:
    """Each label against its own truth; calibration over the mixture that looks like use."""
    scores = []
    for index, label in enumerate(taxonomy.labels):
        logits, truth, weights = known_truth(label.name, index, judged)
        if not truth.any():
            continue
        column = np.zeros((len(logits), len(taxonomy.labels)), dtype=np.float32)
        column[:, index] = logits
        probabilities = scores_of(column, taxonomy)[:, index]
        counts = confusion(probabilities >= label.thresholds[STANDARD], truth)
        scores.append(LabelScore(label.name, counts, weighted_error(probabilities, truth, weights)))
    return scores


def weighted_error(probabilities: Floats, truth: Flags, weights: Floats) -> float:
    """Expected calibration error over a mixture: rows drawn by weight, the same ones every time."""
    generator = np.random.default_rng(0)
    drawn = generator.choice(len(truth), _CALIBRATED_ROWS, p=weights / weights.sum())
    return calibration_error(probabilities[drawn], truth[drawn])


def not_clean_scores(found: Judged, taxonomy: Taxonomy) -> Floats:
    """The score that a text is anything but clean: the highest of the accusing labels'."""
    highest: Floats = scores_of(found.logits, taxonomy)[:, taxonomy.accusing].max(axis=1)
    return highest


def mixture_error(judged: Sequence[Judged], taxonomy: Taxonomy) -> float:
    """Expected calibration error of `clean` over the mixture that looks like use."""
    used = [found for found in judged if found.texts.weight]
    scores = np.concatenate([not_clean_scores(found, taxonomy) for found in used])
    truth = np.concatenate([np.full(len(found.logits), found.texts.bad) for found in used])
    weights = np.concatenate([np.full(len(found.logits), found.texts.weight / len(found.logits)) for found in used])
    return weighted_error(scores, truth, weights)


def source_errors(judged: Sequence[Judged], taxonomy: Taxonomy) -> dict[str, float]:
    """Calibration error of `clean` by set: how far the mean score lies from what the set is."""
    return {
        found.texts.name: float(abs(not_clean_scores(found, taxonomy) - found.texts.bad).mean()) for found in judged
    }


def found_against_flagged(
    harmless: Judged, bad: Judged, taxonomy: Taxonomy, steps: int = 60
) -> list[tuple[float, float]]:
    """Points (share of the harmless flagged, share of the bad found) as one common threshold moves."""
    low, high = (not_clean_scores(found, taxonomy) for found in (harmless, bad))
    cuts = np.unique(np.quantile(np.concatenate([low, high]), np.linspace(0, 1, steps)))
    return [(float((low >= cut).mean()), float((high >= cut).mean())) for cut in cuts]


def rest_found(alone: Flags, diluted: Flags) -> float:
    """Of the texts that were flagged alone, the share that is flagged diluted as well."""
    return float(diluted[alone].mean()) if alone.any() else 0.0


def by_name(judged: Sequence[Judged]) -> dict[str, Judged]:
    """The judged sets by name."""
    return {found.texts.name: found for found in judged}


def filter_shares(flags_text: Mapping[str, Flags], sets: Sequence[TextSet], name: str) -> list[SetShare]:
    """A keyword filter's shares, set by set."""
    return [
        SetShare(
            item.name, item.bad, item.limit, item.tuned, len(item.rows), {name: float(flags_text[item.name].mean())}
        )
        for item in sets
    ]
