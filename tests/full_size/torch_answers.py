"""What a classifier answers in torch."""

from typing import Any

import numpy as np
import torch

from convert.verify import Logits
from training.data.batches import pad

BATCH = 16


def by_torch(model: Any, rows: list[list[int]]) -> Logits:
    """Logits in the order of the rows, which are run in batches of like length."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    found = np.zeros((len(rows), model.config.num_labels), dtype=np.float32)
    with torch.no_grad():
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            input_ids, mask = pad([rows[index] for index in chosen], model.config.pad_token_id)
            found[chosen] = model(input_ids=input_ids, attention_mask=mask).logits.numpy()
    return found
