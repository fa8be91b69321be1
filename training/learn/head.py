"""The head, fitted once more on a finished encoder, with harmless text counting for more than its share.

Last-layer retraining (Kirichenko et al., 2023): the features tell harmless look-alikes from offence better than a head
does that was trained where four comments in ten offend. It costs minutes, and changes nothing but the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from training.data.batches import Floats
from training.learn.distil import feature_network
from training.learn.network import CommentNetwork
from training.learn.predict import logits_of_ids

_STEPS = 80
_HISTORY = 20
_RIDGE = 0.01
"""Of the squared distance from the head that training left, measured a standard deviation of each feature."""


@dataclass(frozen=True)
class HeadLessons:
    """What outputs of a head are fitted on: token ids a text, a probability and its weight, both `[texts, outputs]`."""

    ids: list[list[int]]
    targets: Floats
    weights: Floats


def refit_head(network: CommentNetwork, outputs: Sequence[int], lessons: HeadLessons, pad_id: int) -> None:
    """Give these outputs of the head the least weighted cross-entropy, near to what they are; the others stay."""
    features = torch.from_numpy(logits_of_ids(feature_network(network), lessons.ids, pad_id))
    mean, spread = features.mean(dim=0), features.std(dim=0) + 1e-3
    features.sub_(mean).div_(spread)
    targets = torch.from_numpy(lessons.targets)
    weights = torch.from_numpy(lessons.weights / lessons.weights.mean(axis=0))
    head, outputs = network.head, list(outputs)  # a tuple would index one element
    with torch.no_grad():
        first = head.weight[outputs] * spread
        first_bias = head.bias[outputs] + head.weight[outputs] @ mean
    weight, bias = first.clone().requires_grad_(), first_bias.clone().requires_grad_()
    solver = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, history_size=_HISTORY, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        logits = nn.functional.linear(features, weight, bias)
        entropy = nn.functional.binary_cross_entropy_with_logits(logits, targets, weight=weights)
        total: torch.Tensor = entropy + _RIDGE * (weight - first).square().mean()
        total.backward()  # type: ignore[no-untyped-call]  # torch's own
        return total

    solver.step(loss)  # type: ignore[no-untyped-call]  # torch's own
    with torch.no_grad():
        head.weight[outputs] = weight / spread
        head.bias[outputs] = bias - head.weight[outputs] @ mean
