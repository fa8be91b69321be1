"""Scores on the dev rows, by the decisions that a bundle makes at the thresholds it ships with.

The sources ask different questions, so each is asked of the labels that answer it: K-MHaS profanity of `curse`;
K-MHaS any-hate and curse-detection, whose curse takes in slurs, of `curse` or `hate`; BEEP of anything but `clean`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.data.batches import Floats
from training.learn.metrics import Confusion, Flags, calibration_error, confusion, sigmoid
from training.ship.calibrate import Dev, truth_signals
from training.ship.serving import Taxonomy, served_logits


@dataclass(frozen=True)
class Question:
    """One figure to reach: what is asked, of which labels, against which truth."""

    name: str
    truth: str
    labels: tuple[str, ...]
    metric: str
    goal: float


QUESTIONS = (
    Question("BEEP, offensive or hate", "beep/offensive", ("curse", "insult", "hate"), "macro_f1", 0.80),
    Question("Curse-detection, curse", "curse_detection/curse", ("curse", "hate"), "f1", 0.83),
    Question("Curse-detection, by `curse` alone", "curse_detection/curse", ("curse",), "f1", 0.83),
    Question("K-MHaS, any hate", "kmhas/any", ("curse", "hate"), "macro_f1", 0.86),
    Question("K-MHaS, curse", "kmhas/curse", ("curse",), "f1", 0.86),
    Question("NSMC, positive", "nsmc/positive", ("positive",), "accuracy", 0.88),
)


@dataclass(frozen=True)
class LabelScore:
    """One served label on the dev rows that know its truth."""

    name: str
    threshold: float
    counts: Confusion
    calibration_error: float


def questions_for(taxonomy: Taxonomy) -> list[Question]:
    """The questions that a bundle's labels can answer."""
    return [question for question in QUESTIONS if set(question.labels) <= set(taxonomy.names)]


def answers(question: Question, taxonomy: Taxonomy, logits: Floats) -> Flags:
    """The bundle's yes or no for each text, from its served logits."""
    flagged = np.zeros(len(logits), dtype=bool)
    for name in question.labels:
        index = taxonomy.names.index(name)
        flagged |= passes(taxonomy, index, logits)
    return flagged


def passes(taxonomy: Taxonomy, index: int, logits: Floats) -> Flags:
    """Whether a label counts: by its threshold, or, in a single choice, by being the highest."""
    if taxonomy.clean_label is None:
        return np.asarray(logits.argmax(axis=1) == index)
    return np.asarray(sigmoid(logits[:, index]) >= taxonomy.labels[index].threshold)


def score_questions(taxonomy: Taxonomy, served: Floats, dev: Dev) -> dict[str, Confusion]:
    """Counts for each question; `served` are the served logits of the dev rows."""
    scores = {}
    for question in questions_for(taxonomy):
        known, truth = dev.truth(question.truth)
        scores[question.name] = confusion(answers(question, taxonomy, served)[known], truth[known])
    return scores


def score_labels(taxonomy: Taxonomy, served: Floats, dev: Dev) -> list[LabelScore]:
    """Each label of a multi-label bundle against its own truth."""
    scores = []
    for index, label in enumerate(taxonomy.labels):
        known, truth = dev.truth(*truth_signals(label.name))
        probabilities = sigmoid(served[known, index])
        counts = confusion(probabilities >= label.threshold, truth[known])
        scores.append(LabelScore(label.name, label.threshold, counts, calibration_error(probabilities, truth[known])))
    return scores


def headline(scores: Mapping[str, Confusion]) -> dict[str, float]:
    """The one figure of each question."""
    metric = {question.name: question.metric for question in QUESTIONS}
    return {name: float(getattr(counts, metric[name])) for name, counts in scores.items()}


def any_flag(taxonomy: Taxonomy, served: Floats) -> Flags:
    """Whether a text is anything but clean."""
    tops = [index for index, name in enumerate(taxonomy.names) if "/" not in name]
    return np.asarray(np.stack([passes(taxonomy, index, served) for index in tops]).any(axis=0))


def score_teacher(taxonomy: Taxonomy, signal_logits: Floats, dev: Dev) -> dict[str, float]:
    """The figures of a network before export, from its signal logits."""
    return headline(score_questions(taxonomy, served_logits(signal_logits, taxonomy), dev))
