"""Signal logits of a network for many texts: for calibration, for distillation, for its scores."""

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from tqdm import tqdm

from bundles.text.normalise import normalise
from training.data.batches import Floats, encode, group_by_length, pad
from training.learn.network import CommentNetwork


def signal_logits(
    network: CommentNetwork, tokenizer: Tokenizer, texts: Sequence[str], *, max_length: int, pad_id: int
) -> Floats:
    """Logits `[texts, outputs]` of texts as they come, in their order."""
    ids = encode(tokenizer, [normalise(text) for text in texts], max_length)
    return logits_of_ids(network, ids, pad_id)


def logits_of_ids(network: CommentNetwork, ids: Sequence[Sequence[int]], pad_id: int, tokens: int = 2_048) -> Floats:
    """Logits of token ids, in bfloat16 where the processor multiplies it faster."""
    device = next(network.parameters()).device
    groups = group_by_length(np.array([len(row) for row in ids], dtype=np.float64), tokens)
    logits = np.empty((len(ids), network.head.out_features), dtype=np.float32)
    network.eval()
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16):
        for group in tqdm(groups, desc="labelling", mininterval=5):
            input_ids, mask = pad([ids[row] for row in group], pad_id)
            logits[group] = network(input_ids.to(device), mask.to(device)).float().cpu().numpy()
    return logits
