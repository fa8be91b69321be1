"""The labels that are served: which signals they are, how their scores are calibrated, from which score they count.

A served logit is a signal's own logit. A monotone map, kept in the bundle's config, turns it into a score that is 0.5
where the standard decision turns (`shared` readers: docs/model-bundles.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from bundles.format import BundleConfig
from training.data.batches import Floats
from training.data.signals import KINDS, OFFENSIVE, SERVED, SIGNAL_INDEX
from training.learn.metrics import sigmoid
from training.learn.network import CommentNetwork

Knots = tuple[tuple[float, float], ...]
LENIENT, STANDARD, STRICT = STRICTNESSES = ("lenient", "standard", "strict")


@dataclass(frozen=True)
class ServedLabel:
    """One served label.

    `knots`: points (logit of the graph, logit of the score), between which the score's logit is a straight line.
    `thresholds`: the score from which the label counts, by strictness.
    """

    name: str
    signal: str
    sign: float = 1.0
    knots: Knots = ()
    thresholds: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(STRICTNESSES, 0.5))


@dataclass(frozen=True)
class Taxonomy:
    """What a bundle answers with. Without `clean_label` it is a single choice between its labels."""

    labels: tuple[ServedLabel, ...]
    clean_label: str | None = None
    sub_labels: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The labels' names, in the order of the logits."""
        return [label.name for label in self.labels]

    @property
    def accusing(self) -> list[int]:
        """Places of the labels of which one makes a text other than clean."""
        kinds = {name for names in self.sub_labels.values() for name in names}
        return [index for index, name in enumerate(self.names) if name not in kinds]


TOXICITY = Taxonomy(
    labels=tuple(ServedLabel(name, name) for name in SERVED),
    clean_label="clean",
    sub_labels={"hate": [f"hate/{kind}" for kind in KINDS]},
)
SENTIMENT_LABELS = ("negative", "neutral", "positive")
SENTIMENT = Taxonomy(labels=tuple(ServedLabel(name, name) for name in SENTIMENT_LABELS))
TAXONOMIES = {"default": TOXICITY, "sentiment": SENTIMENT}


def taxonomy_of(config: BundleConfig) -> Taxonomy:
    """The taxonomy of a finished bundle."""
    labels = tuple(
        ServedLabel(
            name,
            name,
            knots=tuple((knot[0], knot[1]) for knot in config.calibration.get(name, [])),
            thresholds={
                level: values.get(name, config.thresholds.get(name, 0.5)) for level, values in _levels(config).items()
            },
        )
        for name in config.labels
    )
    return Taxonomy(labels, config.clean_label, config.sub_labels)


def _levels(config: BundleConfig) -> dict[str, Mapping[str, float]]:
    return {level: config.strictness.get(level, config.thresholds) for level in STRICTNESSES}


def calibrated_logits(logits: Floats, knots: Sequence[tuple[float, float]]) -> Floats:
    """Score logits of graph logits: straight lines between the knots, carried on beyond the outer ones."""
    if not knots:
        return logits
    raw, served = (np.array(values, dtype=np.float64) for values in zip(*knots, strict=True))
    inside = np.interp(logits, raw, served)
    first, last = ((served[i + 1] - served[i]) / (raw[i + 1] - raw[i]) for i in (0, len(raw) - 2))
    below = np.minimum(logits - raw[0], 0) * first
    above = np.maximum(logits - raw[-1], 0) * last
    mapped: Floats = (inside + below + above).astype(np.float32)
    return mapped


def scores_of(logits: Floats, taxonomy: Taxonomy) -> Floats:
    """Scores `[texts, labels]` of the graph's logits `[texts, labels]`."""
    columns = [sigmoid(calibrated_logits(logits[:, index], label.knots)) for index, label in enumerate(taxonomy.labels)]
    scores: Floats = np.stack(columns, axis=1)
    return scores


def served_network(network: CommentNetwork, taxonomy: Taxonomy) -> CommentNetwork:
    """The network with the served labels alone as outputs. The encoder is shared, not copied.

    What a wide part says by the strictest standard is folded into them, as `folded` does it.
    """
    rows = [SIGNAL_INDEX[label.signal] for label in taxonomy.labels]
    folds = network.wide is not None and bool(network.wide.spread[:, SIGNAL_INDEX[OFFENSIVE]].any())
    if folds:
        rows.append(SIGNAL_INDEX[OFFENSIVE])
    wide = network.wide.of_outputs(rows) if network.wide else None
    served = CommentNetwork(network.encoder, len(rows), network.window_tokens, wide)
    with torch.no_grad():
        served.head.weight.copy_(network.head.weight[rows])
        served.head.bias.copy_(network.head.bias[rows])
        if folds:  # the encoder speaks through the accusing labels; the wide part knows the strictest source better
            served.head.weight[-1], served.head.bias[-1] = 0.0, 0.0
    served.folds = folds
    return served.eval()
