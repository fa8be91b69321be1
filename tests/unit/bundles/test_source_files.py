"""The files of a model are chosen by their names, so that nothing else is downloaded."""

from pathlib import Path

import pytest

from bundles.files import choose_files, names_in
from shared.errors import ModelSourceError

LEGACY = ["app.py", "textClassifierModel.pt", "category.pkl", "vocab.pkl", "requirements.txt"]
TRANSFORMERS = [
    "config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json", "tokenizer_config.json",
    "training_args.bin", "optimizer.pt", "onnx/model.onnx", "README.md",
]  # fmt: skip


def test_the_originals_files_are_a_legacy_set() -> None:
    files = choose_files(LEGACY, "me/model")
    assert files.kind == "checkpoint"
    assert files.by_role() == {
        "weights": "textClassifierModel.pt", "vocabulary": "vocab.pkl", "categories": "category.pkl",
    }  # fmt: skip
    assert not files.has_tokenizer


def test_safetensors_come_before_a_pickle_and_what_a_trainer_leaves_is_not_a_model() -> None:
    assert choose_files(TRANSFORMERS, "me/model").weights == "model.safetensors"
    with_pickle = choose_files([*TRANSFORMERS, "model_head.pkl"], "me/model")  # a base to train from, and no classifier
    assert with_pickle.by_role() == choose_files(TRANSFORMERS, "me/model").by_role()
    assert choose_files(["only.pt", "optimizer.pt", "training_args.bin", "rng_state_0.pth"], "x").weights == "only.pt"


def test_a_bundle_is_a_bundle_whatever_lies_beside_it() -> None:
    names = ["manifest.json", "model.onnx", "config.json", "tokenizer.json", "README.md", "old.pt"]
    assert choose_files(names, "me/model").kind == "bundle"


def test_skts_own_file_names_are_known() -> None:
    files = choose_files(["a.pt", "kobertvocab_f38b8a4d6d.json", "tokenizer_78b3253a26.model"], "x")
    assert (files.vocabulary, files.sentencepiece) == ("kobertvocab_f38b8a4d6d.json", "tokenizer_78b3253a26.model")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "x has no model: it is empty; expected a bundle"),
        (["README.md", "data.csv"], "x has no model: it holds README.md, data.csv; expected"),
        (["a.pt", "b.pt"], r"x holds several checkpoints \(a\.pt, b\.pt\): keep one, or name it in full"),
        (
            ["model-00001-of-00002.safetensors"],
            r"one part of a checkpoint: set MODEL to the folder",
        ),
        (["model.safetensors.index.json"], "none of the parts that it lists"),
        (["adapter_model.safetensors"], "one half of a LoRA adapter: adapter_config.json and .* are both needed"),
    ],
)
def test_what_is_no_model_is_refused_with_what_was_found(names: list[str], sentence: str) -> None:
    with pytest.raises(ModelSourceError, match=sentence):
        choose_files(names, "x")


def test_a_checkpoint_in_parts_is_its_index_and_its_parts() -> None:
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    files = choose_files([*parts, "model.safetensors.index.json", "config.json"], "x")
    assert (files.weights, files.shards) == ("model.safetensors.index.json", tuple(parts))
    assert set(files.by_role().values()) == {*parts, "model.safetensors.index.json", "config.json"}


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["onnx/model.onnx", "onnx/model_O2.onnx", "onnx/model_qint8_avx512_vnni.onnx"], "onnx/model.onnx"),
        (["onnx/model_O3.onnx", "onnx/model_quantized.onnx"], "onnx/model_O3.onnx"),
        (["onnx/model_qint8_avx512_vnni.onnx", "onnx/model_qint8_arm64.onnx"], "onnx/model_qint8_arm64.onnx"),
        (["my_export.onnx"], "my_export.onnx"),
    ],
)
def test_of_several_exports_the_float_one_comes_first(names: list[str], chosen: str) -> None:
    assert choose_files([*names, "config.json"], "x").onnx == chosen


def test_the_weights_of_an_export_are_found_by_each_exporters_name_for_them() -> None:
    for data in ("model.onnx_data", "model.onnx.data", "model.data", "model.weights"):
        assert choose_files(["model.onnx", data], "x").onnx_data == data


def test_names_are_those_of_the_folder_and_of_its_export(tmp_path: Path) -> None:
    for name in ("model.pt", "onnx/model.onnx", "deep/down/other.pt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(names_in(tmp_path)) == ["model.pt", "onnx/model.onnx"]
