"""Training with int8's rounding in it: it computes as the int8 graph does, and the weights can still learn."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
import onnxruntime  # noqa: E402
from transformers import BertConfig  # noqa: E402

from training.batches import pad  # noqa: E402
from training.export import export_float  # noqa: E402
from training.fake_int8 import round_to_int8  # noqa: E402
from training.network import CommentNetwork, new_encoder  # noqa: E402
from training.quantise import calibration_feeds, quantise  # noqa: E402

PAD = 1


def network() -> CommentNetwork:
    torch.manual_seed(6)
    config = BertConfig(
        vocab_size=120,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=32,
        initializer_range=0.2,
        pad_token_id=PAD,
    )
    return CommentNetwork(new_encoder(config), 3).eval()


@pytest.fixture(scope="module")
def ids() -> list[list[int]]:
    generator = np.random.default_rng(6)
    return [generator.integers(5, 120, size).tolist() for size in generator.integers(3, 30, 200)]


def graph_logits(path: Path, ids: list[list[int]]) -> np.ndarray:
    rows, mask = pad(ids, PAD)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input_ids": rows.numpy(), "attention_mask": mask.numpy()})[0]


def test_the_rounded_network_says_what_the_int8_graph_says(tmp_path: Path, ids: list[list[int]]) -> None:
    calibration = calibration_feeds(ids, PAD)
    export_float(network(), tmp_path / "float.onnx", max_length=32)
    quantise(tmp_path / "float.onnx", tmp_path / "int8.onnx", calibration)
    exact, int8 = (graph_logits(tmp_path / name, ids[:64]) for name in ("float.onnx", "int8.onnx"))
    with torch.no_grad():
        rounded = round_to_int8(network(), calibration)(*pad(ids[:64], PAD)).numpy()

    cost_of_int8 = np.abs(int8 - exact).mean()
    assert np.abs(int8 - rounded).mean() < 0.1 * cost_of_int8


def test_its_weights_keep_their_names_and_learn(ids: list[list[int]]) -> None:
    plain = network()
    rounded = round_to_int8(network(), calibration_feeds(ids, PAD))
    assert list(rounded.state_dict()) == list(plain.state_dict())

    rounded(*pad(ids[:8], PAD)).sum().backward()
    silent = [name for name, parameter in rounded.named_parameters() if parameter.grad is None]
    assert not silent
    plain.load_state_dict(rounded.state_dict())
