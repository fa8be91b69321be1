"""Every family that is read directly answers as transformers does, in every form of its checkpoint."""

import json
from collections import defaultdict
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundles.architecture import DIRECT
from bundles.model_config import read_model_config
from convert.bert import BertWeights
from convert.checkpoint import read_tensors
from convert.families import FAMILIES
from convert.graph import write_graph
from convert.model_source import BertClassifier, open_model
from convert.quantise import dequantise, quantise
from convert.state_dict import Architecture, to_weights
from convert.verify import open_session
from shared.errors import ModelSourceError
from tests.support.broken import lightning_checkpoint
from tests.support.checkpoints import quantised, save
from tests.support.families import FAMILY_NAMES, LABELS, family_classifier

pytestmark = pytest.mark.training

FLOAT_TOLERANCE = 1e-4


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Random token ids padded on the right, and their mask."""
    random = np.random.default_rng(5)
    lengths = random.integers(3, 40, 12)
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    return np.where(mask == 1, random.integers(5, 200, mask.shape), 1), mask


def by_torch(model: Any) -> np.ndarray:
    ids, mask = batch()
    with torch.no_grad():
        answer: np.ndarray = model(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).logits.numpy()
    return answer


def by_graph(weights: BertWeights, folder: Path) -> np.ndarray:
    ids, mask = batch()
    write_graph(weights, folder / "model.onnx")
    feeds = {"input_ids": ids, "attention_mask": mask}
    answer: np.ndarray = open_session(folder / "model.onnx").run(["logits"], feeds)[0]
    return answer


def read(model: Any, folder: Path, **options: Any) -> BertWeights:
    """The weights of `model`, by way of the folder that `save_pretrained` leaves."""
    model.save_pretrained(folder, **options)
    opened = open_model({"weights": folder / "model.safetensors"}, read_model_config(folder / "config.json"), "x")
    assert isinstance(opened, BertClassifier)
    return opened.read()


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_a_folder_of_transformers_gives_its_logits(tmp_path: Path, name: str) -> None:
    model = family_classifier(name)
    weights = read(model, tmp_path)
    expected = by_torch(model)
    assert expected.std() > 0.05
    np.testing.assert_allclose(by_graph(weights, tmp_path), expected, rtol=0, atol=FLOAT_TOLERANCE)
    assert weights.shape.positions == 512
    assert np.abs(by_graph(quantise(weights), tmp_path) - expected).max() < 0.3


@pytest.mark.parametrize(("name", "heads"), [("BERT", 12), ("RoBERTa", 12), ("ELECTRA", 4), ("DistilBERT", 12)])
def test_a_config_that_names_no_heads_has_as_many_as_transformers_takes(tmp_path: Path, name: str, heads: int) -> None:
    model = family_classifier(name, hidden_size=384, num_attention_heads=heads)
    read(model, tmp_path)
    said = json.loads((tmp_path / "config.json").read_text())
    kept = {field: value for field, value in said.items() if field not in {"num_attention_heads", "n_heads"}}
    (tmp_path / "config.json").write_text(json.dumps(kept))

    opened = open_model({"weights": tmp_path / "model.safetensors"}, read_model_config(tmp_path / "config.json"), "x")

    assert isinstance(opened, BertClassifier)
    found = by_graph(opened.read(), tmp_path)
    np.testing.assert_allclose(found, by_torch(model), rtol=0, atol=FLOAT_TOLERANCE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_half_precision_gives_the_logits_of_the_rounded_weights(tmp_path: Path, name: str, dtype: Any) -> None:
    model = family_classifier(name).to(dtype)
    weights = read(model, tmp_path)
    np.testing.assert_allclose(
        by_graph(weights, tmp_path), by_torch(model.float()), rtol=0, atol=FLOAT_TOLERANCE
    )  # fmt: skip


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_torchs_dynamic_quantisation_is_kept_as_it_is(tmp_path: Path, name: str) -> None:
    """torch rounds activations to 7 bits where this graph rounds to 8; the weights are the same int8 ones."""
    model = quantised(family_classifier(name))
    weights = to_weights(model.state_dict(), "model.pt", Architecture(heads=2))
    exact = by_graph(dequantise(weights), tmp_path)
    ours, torchs = np.abs(by_graph(weights, tmp_path) - exact), np.abs(by_torch(model) - exact)
    assert weights.is_quantised
    assert 0 < ours.max() < 0.2
    assert ours.mean() <= torchs.mean()


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "model.encoder.", "net.module."])
@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_an_attribute_around_the_model_changes_nothing(name: str, prefix: str) -> None:
    """As DataParallel, torch.compile and a LightningModule name it, with the class weights of its loss."""
    state = family_classifier(name).state_dict()
    wrapped = {f"{prefix}{key}": tensor for key, tensor in state.items()} | {"criterion.weight": torch.ones(LABELS)}
    plain, read = to_weights(state, "a", Architecture(heads=2)), to_weights(wrapped, "b", Architecture(heads=2))
    assert plain.shape == read.shape
    assert (plain.layers[1].output.weight == read.layers[1].output.weight).all()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_every_key_is_accounted_for_in_the_names_of_its_family(name: str) -> None:
    state = family_classifier(name).state_dict()
    for key in state:
        with pytest.raises(ModelSourceError, match=rf"(missing|no|without): .*{key}|has no {key}|classifier"):
            to_weights({other: tensor for other, tensor in state.items() if other != key}, "x", Architecture(heads=2))
    with pytest.raises(ModelSourceError, match=r"1 unexpected: some\.other\.weight"):
        to_weights({**state, "some.other.weight": torch.zeros(2)}, "x", Architecture(heads=2))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_of_lightning_is_read_and_nothing_beside_its_weights_is_run(tmp_path: Path, zipped: bool) -> None:
    """With a Namespace, a Path and NumPy's numbers in it, as `save_hyperparameters` leaves them."""
    state = family_classifier("ELECTRA").state_dict()
    checkpoint = lightning_checkpoint(state)
    extras = {"score": np.float64(0.9), "array": np.arange(3), "counts": defaultdict(list, {"a": [1]}), "when": time(1)}
    path = save({**checkpoint, **extras}, tmp_path / "x.ckpt", _use_new_zipfile_serialization=zipped)

    tensors = read_tensors(path)

    assert set(tensors) == {f"model.{name}" for name in state}
    assert to_weights(tensors, "x").shape.labels == LABELS


def test_a_checkpoint_in_parts_is_read_whole(tmp_path: Path) -> None:
    model = family_classifier("RoBERTa")
    model.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("model-*-of-*.safetensors"))) > 2
    files = {"weights": tmp_path / "model.safetensors.index.json"}
    opened = open_model(files, read_model_config(tmp_path / "config.json"), "x")
    assert isinstance(opened, BertClassifier)
    np.testing.assert_allclose(
        by_graph(opened.read(), tmp_path), by_torch(model), rtol=0, atol=FLOAT_TOLERANCE
    )  # fmt: skip


def test_a_roberta_saved_with_the_pooler_of_its_encoder_is_read_without_it() -> None:
    state = family_classifier("RoBERTa").state_dict()
    pooler = {"roberta.pooler.dense.weight": torch.ones(64, 64), "roberta.pooler.dense.bias": torch.ones(64)}
    to_weights({**state, **pooler}, "x", Architecture(heads=2))


def test_a_config_of_another_family_is_refused() -> None:
    state = family_classifier("ELECTRA").state_dict()
    with pytest.raises(ModelSourceError, match=r"tensors of an ELECTRA, and its config\.json says roberta"):
        to_weights(state, "x", Architecture(model_type="roberta"))


def test_without_a_config_a_roberta_has_the_norm_of_all_published_ones() -> None:
    state = family_classifier("RoBERTa").state_dict()
    assert to_weights(state, "x").shape.norm_epsilon == 1e-5
    assert to_weights(state, "x", Architecture(norm_epsilon=1e-12)).shape.norm_epsilon == 1e-12


def test_what_the_config_is_judged_by_and_what_tensors_are_read_by_are_the_same_families() -> None:
    assert set(DIRECT) == {model_type for family in FAMILIES for model_type in family.model_types}
