"""Reading before learning: gaps are made in a text's own pieces, and filled with pieces."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
from transformers import BertConfig  # noqa: E402

from training.learn.fit import FitPlan  # noqa: E402
from training.learn.network import new_encoder  # noqa: E402
from training.learn.reading import Reader, read_on, within, written_anew  # noqa: E402

PAD = 1
PIECES = 60
TEXTS = [[0, *range(10, 20), 2], [0, 30, 31, 2], [0, *[41, 42] * 12, 2], [0, 2]]


def reader() -> Reader:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=PIECES, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    return Reader(new_encoder(config))


def test_only_a_texts_own_pieces_may_be_taken_out() -> None:
    ids = torch.tensor([[0, 9, 3, 2, PAD]])
    assert within(ids, torch.tensor([[1, 1, 1, 1, 0]])).tolist() == [[False, True, False, False, False]]


def test_a_reader_learns_to_guess_what_stood_in_the_gaps(tmp_path: Path) -> None:
    pairs = [[0, *[first, first + 1] * 8, 2] for first in range(10, 50, 2) for _ in range(6)]
    before = reader()
    ids = torch.tensor(pairs)
    torch.manual_seed(3)
    costs = [float(before(ids, torch.ones_like(ids)).detach())]
    plan = FitPlan(epochs=10, learning_rate=2e-2, tokens_per_batch=512, device="cpu")

    after = read_on(before.encoder, pairs, plan, tmp_path, PAD)

    torch.manual_seed(3)
    costs.append(float(after(ids, torch.ones_like(ids)).detach()))
    assert costs[1] < 0.75 * costs[0]


def test_a_text_written_anew_keeps_its_length_its_ends_and_most_of_its_pieces() -> None:
    texts = TEXTS * 30
    anew = written_anew(reader(), texts, PAD, np.random.default_rng(1))

    assert [len(row) for row in anew] == [len(row) for row in texts]
    assert all((new[0], new[-1]) == (old[0], old[-1]) for new, old in zip(anew, texts, strict=True))
    inner = [(n, o) for new, old in zip(anew, texts, strict=True) for n, o in zip(new[1:-1], old[1:-1], strict=True)]
    changed = sum(n != o for n, o in inner) / len(inner)
    assert 0.08 < changed < 0.4
    assert all(n >= 4 for n, _ in inner)
    assert anew != written_anew(reader(), texts, PAD, np.random.default_rng(2))
