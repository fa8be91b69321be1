"""Reading before learning: an encoder guesses pieces that were taken out of texts, and can then write texts like them.

Masked language modelling (Devlin et al., 2019) on the very texts to be learnt from (Gururangan et al., 2020). What it
puts into the gaps makes new texts of the same kind, which teachers label (data augmentation of TinyBERT, Jiao et al.,
2020): so a student hears its teachers on far more texts than there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertModel

from training.data.batches import Floats, TrainingSet, group_by_length, pad
from training.learn.fit import Fit, FitPlan

_SPECIAL_IDS = 4  # the first ids of the vocabulary: begin, padding, end, unknown
_UNKNOWN = 3  # stands in a gap: the vocabulary has no piece for one
_GAPS, _EMPTY, _OTHER = 0.2, 0.8, 0.9  # share of the pieces that are guessed; up to where of them empty, another piece
_SURENESS = 1 / 0.85  # of a drawn piece: logits are multiplied by it
_LEAST_GAPS, _MOST_GAPS = 0.12, 0.35  # share of a text's pieces that is written anew


class Reader(nn.Module):
    """An encoder, and what guesses a piece from its vector: token ids and mask -> the mean cost of the gaps, `[1, 1]`.

    The output has the encoder's own embeddings for weights.
    """

    def __init__(self, encoder: BertModel) -> None:
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(encoder.config.vocab_size))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Make gaps, and say what it costs to guess what stood there."""
        gaps = within(input_ids, attention_mask) & (torch.rand(input_ids.shape, device=input_ids.device) < _GAPS)
        drawn = torch.rand(input_ids.shape, device=input_ids.device)
        others = torch.randint_like(input_ids, _SPECIAL_IDS, self.encoder.config.vocab_size)
        filled = torch.where(drawn < _EMPTY, _UNKNOWN, torch.where(drawn < _OTHER, others, input_ids))
        guesses = self.guesses(torch.where(gaps, filled, input_ids), attention_mask, gaps)
        if not len(guesses):
            return guesses.sum().view(1, 1)
        return nn.functional.cross_entropy(guesses.float(), input_ids[gaps]).view(1, 1)

    def guesses(self, input_ids: Tensor, attention_mask: Tensor, gaps: Tensor) -> Tensor:
        """Logits `[gaps, pieces]` of what stands where `gaps` says."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[gaps]
        vectors = self.norm(nn.functional.gelu(self.dense(states)))
        return nn.functional.linear(vectors, self.encoder.embeddings.word_embeddings.weight, self.bias)


def within(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Where a text's own pieces stand."""
    return (attention_mask > 0) & (input_ids >= _SPECIAL_IDS)


@dataclass(frozen=True)
class _AllTexts:
    """Every text, once an epoch."""

    ids: list[list[int]]

    def __call__(self, _epoch: int, _generator: np.random.Generator) -> TrainingSet:
        targets: Floats = np.zeros((len(self.ids), 1), dtype=np.float32)
        return TrainingSet(self.ids, targets)


def read_on(encoder: BertModel, ids: list[list[int]], plan: FitPlan, folder: Path, pad_id: int) -> Reader:
    """The encoder after it has guessed pieces of these texts, in a reader that can guess on."""
    torch.manual_seed(plan.seed)
    fit = Fit(Reader(encoder), plan, folder, pad_id=pad_id)
    fit.loss = lambda costs, _targets: costs.mean()
    return fit.run(_AllTexts(ids))


def written_anew(
    reader: Reader, ids: Sequence[list[int]], pad_id: int, generator: np.random.Generator, tokens: int = 8_192
) -> list[list[int]]:
    """Each text with some of its pieces drawn anew by the reader."""
    device = reader.bias.device
    torch.manual_seed(int(generator.integers(2**31)))
    written: list[list[int]] = [[] for _ in ids]
    reader.eval()
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16):
        for group in group_by_length(np.array([len(row) for row in ids], dtype=np.float64), tokens):
            found, mask = (tensor.to(device) for tensor in pad([ids[row] for row in group], pad_id))
            share = generator.uniform(_LEAST_GAPS, _MOST_GAPS)
            gaps = within(found, mask) & (torch.rand(found.shape, device=device) < share)
            if gaps.any():
                logits = reader.guesses(torch.where(gaps, _UNKNOWN, found), mask, gaps).float() * _SURENESS
                logits[:, :_SPECIAL_IDS] = -torch.inf
                found[gaps] = torch.multinomial(logits.softmax(-1), 1)[:, 0]
            for row, one, length in zip(group, found.tolist(), mask.sum(1).tolist(), strict=True):
                written[row] = one[:length]
    return written
