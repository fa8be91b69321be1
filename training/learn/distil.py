"""Distillation: the teacher's word on every text there is becomes the student's target, beside the labels.

Hinton et al., 2015, with a sigmoid a signal instead of a softmax; and the student's pooled vector is drawn to the
teacher's (as in FitNets, Romero et al., 2015), which says more about a text than its signals do. The teacher reads the
clean text; the student reads clean and disguised copies of it, so that it learns to see through disguises that its
teacher never met.
"""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from training.data.batches import Floats
from training.data.signals import SIGNAL_INDEX
from training.learn.fit import masked_loss
from training.learn.logistic import newton
from training.learn.metrics import sigmoid
from training.learn.network import CommentNetwork

TEACHER_SHARE = 0.7
FEATURE_WEIGHT = 1.0
_COMMUNITY, _NEWS = "curse_detection", "kmhas"


class WithFeatures(nn.Module):
    """A network that gives its logits and, beside them, what its head reads: `[batch, signals + 2 * hidden]`."""

    def __init__(self, network: CommentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits, then features."""
        features = self.network.features(input_ids, attention_mask)
        return torch.cat([cast("Tensor", self.network.head(features)), features], dim=1)


def feature_network(network: CommentNetwork) -> CommentNetwork:
    """The network with its features as outputs, to be exported and run where only logits come out."""
    width = network.head.in_features
    bare = CommentNetwork(network.encoder, width)
    with torch.no_grad():
        bare.head.weight.copy_(torch.eye(width))
    return bare.eval()


def logits_of_features(network: CommentNetwork, features: Floats) -> Floats:
    """Logits `[texts, signals]` by the network's head."""
    weight, bias = (parameter.detach().numpy() for parameter in (network.head.weight, network.head.bias))
    logits: Floats = features.astype(np.float32) @ weight.T + bias
    return logits


def distillation_loss(signals: int, spread: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of `WithFeatures`: cross-entropy of the signals, and squared distance of the features.

    `spread`: the standard deviation of each of the teacher's features, by which distances are measured.
    """

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        apart = (outputs[:, signals:] - targets[:, signals:]) / spread
        return masked_loss(outputs[:, :signals], targets[:, :signals]) + FEATURE_WEIGHT * (apart**2).mean()

    return loss


def soft_targets(labels: Floats, teacher_logits: Floats, certain: Floats | None = None) -> Floats:
    """Targets `[texts, signals]`: the teacher's word where no label is known, and a mixture of both where one is.

    `certain` `[texts]` is 1 where a label needs no teacher: made-up lines and everyday sentences.
    """
    taught = sigmoid(teacher_logits)
    share = TEACHER_SHARE * (1 - (np.zeros(len(labels)) if certain is None else certain))[:, None]
    mixed = np.where(np.isnan(labels), taught, share * taught + (1 - share) * np.nan_to_num(labels))
    targets: Floats = mixed.astype(np.float32)
    return targets


def blend_curse(teacher_logits: Floats, features: Floats, sources: Sequence[str]) -> Floats:
    """The teacher's logits with its pooled `curse` read by the standard of the kind of text that each text is.

    K-MHaS calls swear words alone profanity; curse-detection, which comes from communities, slurs against groups too.
    How much any other text is like the one or the other is read from the features of both (a logistic regression on
    their training rows), and the two signals are mixed by it: one label, that each source agrees with on its own kind
    of text.
    """
    names = np.array(sources)
    scaled = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    known = (names == _COMMUNITY) | (names == _NEWS)
    weights, bias = newton(scaled[known], names[known] == _COMMUNITY)
    like_community = np.where(known, names == _COMMUNITY, sigmoid(scaled @ weights + bias))
    by_source = [sigmoid(teacher_logits[:, SIGNAL_INDEX[f"{name}/curse"]]) for name in (_COMMUNITY, _NEWS)]
    blend = np.clip(like_community * by_source[0] + (1 - like_community) * by_source[1], 1e-4, 1 - 1e-4)
    blended = teacher_logits.copy()
    blended[:, SIGNAL_INDEX["curse"]] = np.log(blend / (1 - blend))
    return blended
