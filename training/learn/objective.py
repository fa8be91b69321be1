"""What is minimised: each known label, and whether any label at all should count."""

import torch
from torch import Tensor, nn

from training.data.signals import ACCUSING, ANY, SIGNAL_INDEX, TARGET_INDEX

_ANY_WEIGHT = 2.0
_ACCUSING = [SIGNAL_INDEX[name] for name in ACCUSING]


def verdict_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy over the known targets (not NaN), averaged over rows.

    `targets` are `[rows, TARGETS]`. What is known of `ANY` is asked of the highest of the accusing labels, so that a
    source that only tells good from bad still teaches, and the decision that is served is the one that is trained.
    """
    known = ~torch.isnan(targets)
    highest = logits[:, _ACCUSING].max(dim=1, keepdim=True).values
    asked = torch.cat([logits, highest], dim=1)
    losses = nn.functional.binary_cross_entropy_with_logits(asked, torch.nan_to_num(targets), reduction="none")
    weights = torch.ones(targets.shape[1], device=targets.device)
    weights[TARGET_INDEX[ANY]] = _ANY_WEIGHT
    return (losses * known * weights).sum() / max(len(targets), 1)
