"""The wide part: what hashed pieces and pairs add, and that the graph adds it as the network does."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
import onnxruntime  # noqa: E402
from transformers import BertConfig  # noqa: E402

from training.data.batches import pad  # noqa: E402
from training.data.signals import SERVED, SIGNAL_INDEX, SIGNALS  # noqa: E402
from training.data.sources import Row  # noqa: E402
from training.learn.network import CommentNetwork, load_network, new_encoder, save_network  # noqa: E402
from training.learn.wide import Wide, WidePlan, counted, fit_wide, pair_buckets  # noqa: E402
from training.ship.export import export_float  # noqa: E402
from training.ship.quantise import calibration_feeds, quantise  # noqa: E402
from training.ship.serving import TOXICITY, served_network  # noqa: E402

PIECES, PAD, BUCKETS, WINDOW = 120, 1, 400, 5


def filled_wide(outputs: int = len(SIGNALS)) -> Wide:
    generator = torch.Generator().manual_seed(4)
    wide = Wide(BUCKETS, PIECES, 2, outputs)
    wide.table.copy_(torch.randint(-127, 128, (BUCKETS, 2), generator=generator))
    wide.spread[0, 0], wide.spread[1, 2] = 0.01, 0.02
    return wide


def network(wide: Wide | None) -> CommentNetwork:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=PIECES,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        pad_token_id=PAD,
    )
    return CommentNetwork(new_encoder(config), len(SIGNALS), WINDOW, wide).eval()


def read(model: CommentNetwork, ids: list[list[int]]) -> np.ndarray:
    with torch.no_grad():
        return model(*pad(ids, PAD)).numpy()


def random_ids(*lengths: int) -> list[list[int]]:
    generator = np.random.default_rng(6)
    return [generator.integers(5, PIECES, length).tolist() for length in lengths]


def test_a_token_adds_its_own_weight_and_that_of_the_pair_it_ends() -> None:
    wide, row = filled_wide(), [7, 9, 7]
    pairs = [int(pair_buckets(torch.tensor(a), torch.tensor(b), BUCKETS, PIECES)) for a, b in ((7, 9), (9, 7))]
    assert all(PIECES <= bucket < BUCKETS for bucket in pairs)
    own, of_pairs = wide.table[row].float(), wide.table[pairs].float()

    added = wide(torch.tensor([row]))[0]

    assert torch.allclose(added[0], own[0] @ wide.spread)
    assert torch.allclose(added[1:], (own[1:] + of_pairs) @ wide.spread)


def test_it_moves_only_the_outputs_it_has_a_weight_for_by_the_sum_over_the_root_of_the_length() -> None:
    wide = filled_wide()
    (row,) = random_ids(4)
    moved = read(network(wide), [row]) - read(network(None), [row])
    expected = wide(torch.tensor([row]))[0].sum(0).numpy() / 4**0.5
    np.testing.assert_allclose(moved[0], expected, atol=1e-5)
    assert np.flatnonzero(np.abs(moved[0]) > 1e-5).tolist() == [0, 2]


def test_padding_and_neighbours_make_no_pair() -> None:
    model, rows = network(filled_wide()), random_ids(3, 17, 9)
    together = read(model, rows)
    np.testing.assert_allclose(together, np.concatenate([read(model, [row]) for row in rows]), atol=1e-5)


def test_the_served_graph_adds_it_too_in_float_and_in_int8(tmp_path: Path) -> None:
    model, rows = served_network(network(filled_wide()), TOXICITY), random_ids(*range(1, 40))
    export_float(model, tmp_path / "float.onnx", max_length=64)
    quantise(tmp_path / "float.onnx", tmp_path / "int8.onnx", calibration_feeds(rows, PAD))
    ids, mask = (value.numpy() for value in pad(rows, PAD))
    expected = read(model, rows)
    without = read(served_network(network(None), TOXICITY), rows)
    assert expected.shape == (len(rows), len(SERVED))
    for name, tolerance in (("float", 1e-4), ("int8", 0.1)):
        session = onnxruntime.InferenceSession(str(tmp_path / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        np.testing.assert_allclose(logits, expected, atol=tolerance)
    assert np.abs(expected - without).max() > 0.5


def test_a_saved_network_comes_back_with_it(tmp_path: Path) -> None:
    save_network(network(filled_wide()), tmp_path)
    rows = random_ids(3, 20)
    np.testing.assert_array_equal(read(load_network(tmp_path), rows), read(network(filled_wide()), rows))


def test_what_is_counted_is_every_piece_and_every_pair_of_neighbours() -> None:
    (counts,) = counted([[7, 9, 7, 9]], BUCKETS, PIECES).toarray()
    pairs = [int(pair_buckets(torch.tensor(a), torch.tensor(b), BUCKETS, PIECES)) for a, b in ((7, 9), (9, 7))]
    assert (counts[7], counts[9], counts[pairs[0]], counts[pairs[1]]) == (2, 2, 2, 1)
    assert counts.sum() == 4 + 3


def test_what_it_was_told_of_a_label_it_says_of_that_label_alone() -> None:
    generator = np.random.default_rng(8)
    ids = [[20 + number % 2, *generator.integers(30, PIECES, 4).tolist()] for number in range(200)]
    rows = [Row(str(n), "kmhas", "train", {"curse": float(n % 2), "insult": 0.0}) for n in range(200)]
    rows[0] = Row("soft", "kmhas", "train", {"curse": 0.4})

    plan = WidePlan(labels=("curse", "insult"), buckets=BUCKETS, share=1.0)
    wide = fit_wide(rows, ids, plan, pieces=PIECES, window_tokens=WINDOW)

    added = wide(torch.tensor([[21], [20]]))[:, 0]
    assert added[0, SIGNAL_INDEX["curse"]] > 0 > added[1, SIGNAL_INDEX["curse"]]
    assert not added[:, SIGNAL_INDEX["insult"]].any()  # it never holds here, so there is nothing to tell it by


def test_a_larger_share_says_the_same_louder() -> None:
    ids = random_ids(*[6] * 80)
    rows = [Row(str(n), "kmhas", "train", {"curse": float(ids[n][0] > 25)}) for n in range(80)]
    quiet, loud = (
        fit_wide(rows, ids, WidePlan(labels=("curse",), buckets=BUCKETS, share=share), pieces=PIECES, window_tokens=5)
        for share in (0.25, 0.5)
    )
    np.testing.assert_allclose(loud.spread, 2 * quiet.spread, rtol=1e-5)
    assert torch.equal(loud.table, quiet.table)


def test_the_strictest_standard_is_learnt_from_its_own_rows_and_from_what_any_standard_acts_on() -> None:
    ids = [[20 + number % 2, 30] for number in range(90)]
    told = [
        ({"beep/offensive": float(n % 2)}, "beep") if n < 30 else ({"any": float(n % 2)}, "kmhas" if n < 60 else "kda")
        for n in range(90)
    ]
    rows = [Row(str(n), source, "train", targets) for n, (targets, source) in enumerate(told)]

    wide = fit_wide(rows, ids, WidePlan(labels=("curse",), buckets=BUCKETS), pieces=PIECES, window_tokens=WINDOW)

    added = wide(torch.tensor([[21], [20]]))[:, 0, SIGNAL_INDEX["beep/offensive"]]
    assert added[0] > 0 > added[1]
