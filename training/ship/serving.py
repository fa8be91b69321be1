"""The labels that are served, read from the signals that were learnt: a weighted sum of their logits a label.

Because the network's head is linear too, the sum folds into it: the served graph has one logit a label, and what was
calibrated here costs nothing when it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from bundles.format import BundleConfig
from training.data.batches import Floats
from training.data.signals import SIGNAL_INDEX, SIGNALS
from training.learn.network import CommentNetwork


@dataclass(frozen=True)
class ServedLabel:
    """One served label: the signals that it is read from, and their weights once calibrated."""

    name: str
    signals: tuple[str, ...]
    weights: tuple[float, ...] = ()
    bias: float = 0.0
    threshold: float = 0.5


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


HATE_KINDS = ("gender", "age", "origin", "politics", "religion", "appearance")
TOXICITY = Taxonomy(
    labels=(
        ServedLabel("curse", ("curse",)),
        ServedLabel("insult", ("beep/offensive",)),
        ServedLabel("hate", ("kmhas/hate", "kmhas/any", "beep/hate", "hatescore/hate")),
        *(ServedLabel(f"hate/{kind}", (f"kmhas/{kind}",)) for kind in HATE_KINDS),
    ),
    clean_label="clean",
    sub_labels={"hate": [f"hate/{kind}" for kind in HATE_KINDS]},
)
SENTIMENT = Taxonomy(
    labels=(
        ServedLabel("negative", ("nsmc/positive",), weights=(-0.5,)),
        ServedLabel("positive", ("nsmc/positive",), weights=(0.5,)),
    )
)
TAXONOMIES = {"default": TOXICITY, "sentiment": SENTIMENT}


def taxonomy_of(config: BundleConfig) -> Taxonomy:
    """The taxonomy of a finished bundle: its labels and thresholds, without what they were read from."""
    labels = tuple(ServedLabel(name, (), threshold=config.thresholds.get(name, 0.5)) for name in config.labels)
    return Taxonomy(labels, config.clean_label, config.sub_labels)


def mixing_matrix(taxonomy: Taxonomy) -> tuple[Floats, Floats]:
    """Weights `[labels, signals]` and biases `[labels]` that turn signal logits into served ones."""
    weights = np.zeros((len(taxonomy.labels), len(SIGNALS)), dtype=np.float32)
    for index, label in enumerate(taxonomy.labels):
        for name, weight in zip(label.signals, label.weights, strict=True):
            weights[index, SIGNAL_INDEX[name]] = weight
    return weights, np.array([label.bias for label in taxonomy.labels], dtype=np.float32)


def served_logits(signal_logits: Floats, taxonomy: Taxonomy) -> Floats:
    """Served logits `[texts, labels]` of signal logits `[texts, signals]`."""
    weights, biases = mixing_matrix(taxonomy)
    served: Floats = signal_logits @ weights.T + biases
    return served


def served_network(network: CommentNetwork, taxonomy: Taxonomy) -> CommentNetwork:
    """The network whose head gives the served logits. The encoder is shared, not copied."""
    weights, biases = (torch.from_numpy(part) for part in mixing_matrix(taxonomy))
    served = CommentNetwork(network.encoder, len(taxonomy.labels))
    with torch.no_grad():
        served.head.weight.copy_(weights @ network.head.weight)
        served.head.bias.copy_(weights @ network.head.bias + biases)
    return served.eval()
