"""Tokenised texts and their targets, cut into batches of like length and of about the same number of tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

Floats = npt.NDArray[np.float32]
_SHUFFLE_SPAN = 4.0  # tokens: lengths are blurred by this much before sorting, so that batches differ between epochs


@dataclass(frozen=True)
class TrainingSet:
    """Token ids a text, and targets `[texts, signals]`: a probability, or NaN where it is unknown."""

    ids: list[list[int]]
    targets: Floats

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Batch:
    """Padded ids and mask `[rows, length]`, targets `[rows, signals]`."""

    input_ids: Tensor
    attention_mask: Tensor
    targets: Tensor


def encode(tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Token ids of each text, special tokens included, cut at `max_length` with the last token kept."""
    encoded = tokenizer.encode_batch_fast(list(texts))
    return [cut(item.ids, max_length) for item in encoded]


def cut(ids: list[int], max_length: int) -> list[int]:
    """The first `max_length` tokens, ending in the text's own last one."""
    return ids if len(ids) <= max_length else [*ids[: max_length - 1], ids[-1]]


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Ids and mask of rows of unlike lengths."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1
    return ids, mask


def group_by_length(lengths: npt.NDArray[np.float64], tokens_per_batch: int) -> list[npt.NDArray[np.int64]]:
    """Indices of rows, shortest first, cut where the padded batch would pass `tokens_per_batch`."""
    order = np.argsort(lengths, kind="stable")
    groups: list[npt.NDArray[np.int64]] = []
    start = 0
    for end in range(1, len(order) + 1):
        full = end == len(order) or lengths[order[end]] * (end - start + 1) > tokens_per_batch
        if full:
            groups.append(order[start:end])
            start = end
    return groups


def training_batches(
    data: TrainingSet, tokens_per_batch: int, pad_id: int, generator: np.random.Generator
) -> Iterator[Batch]:
    """One epoch in random order; the same generator state gives the same batches."""
    lengths = np.array([len(row) for row in data.ids], dtype=np.float64)
    lengths += generator.uniform(0, _SHUFFLE_SPAN, len(lengths))
    groups = group_by_length(lengths, tokens_per_batch)
    for group in generator.permutation(len(groups)):
        yield batch_of(data, groups[group], pad_id)


def batch_of(data: TrainingSet, rows: npt.NDArray[np.int64], pad_id: int) -> Batch:
    """The batch of the given rows."""
    ids, mask = pad([data.ids[row] for row in rows], pad_id)
    return Batch(ids, mask, torch.from_numpy(data.targets[rows]))
