"""A model in a folder of a repository, or one file among several in it."""

import pytest

from bundles.hub.repository import HubRepo
from bundles.inside import choose_inside
from shared.errors import ModelSourceError

REPOSITORY = [
    "README.md", "config.json", "tokenizer.json", "model.safetensors",
    "onnx/model.onnx", "onnx/model_O2.onnx", "onnx/model_qint8_avx512_vnni.onnx", "onnx/model_O2.onnx_data",
    "runs/best/config.json", "runs/best/model.safetensors", "runs/best/vocab.txt",
    "runs/bundle/manifest.json", "runs/bundle/model.onnx", "runs/bundle/config.json", "runs/bundle/tokenizer.json",
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("me/model", ("me/model", None, None)),
        ("me/model@v1", ("me/model", "v1", None)),
        ("me/model/runs/best@v1/a", ("me/model", "v1/a", "runs/best")),
        ("me/model/runs/", ("me/model", None, "runs")),
        ("me/model/onnx/model_O2.onnx", ("me/model", None, "onnx/model_O2.onnx")),
    ],
)
def test_a_name_says_where_in_a_repository_the_model_is(
    source: str, expected: tuple[str, str | None, str | None]
) -> None:
    repo = HubRepo.parse(source)
    assert repo is not None
    assert (repo.name, repo.revision, repo.inside) == expected
    assert HubRepo.parse(str(repo)) == repo


@pytest.mark.parametrize(
    "source", ["me", "../me/model", "./me/model", "me/model/../../etc", "me/model//x", "/me/model"]
)
def test_a_path_of_this_machine_is_no_repository(source: str) -> None:
    assert HubRepo.parse(source) is None


def test_a_folder_brings_its_own_files() -> None:
    files = choose_inside(REPOSITORY, "runs/best", "me/model")
    assert (files.weights, files.config) == ("runs/best/model.safetensors", "runs/best/config.json")
    assert files.word_pieces == "runs/best/vocab.txt"
    assert (files.tokenizer, files.onnx) == (None, None)


def test_a_file_is_chosen_among_several_and_takes_what_it_lacks_from_above() -> None:
    files = choose_inside(REPOSITORY, "onnx/model_O2.onnx", "me/model")
    assert (files.onnx, files.onnx_data) == ("onnx/model_O2.onnx", "onnx/model_O2.onnx_data")
    assert (files.config, files.tokenizer, files.weights) == ("config.json", "tokenizer.json", None)


def test_a_folder_of_exports_takes_what_it_lacks_from_above() -> None:
    files = choose_inside(REPOSITORY, "onnx", "me/model")
    assert (files.onnx, files.config, files.tokenizer) == ("onnx/model.onnx", "config.json", "tokenizer.json")


def test_a_bundle_may_lie_in_a_folder() -> None:
    files = choose_inside(REPOSITORY, "runs/bundle", "me/model")
    assert (files.kind, files.manifest) == ("bundle", "runs/bundle/manifest.json")


@pytest.mark.parametrize("inside", ["onnx/model_O3.onnx", "run", "runs/bes", "model"])
def test_what_is_not_there_is_one_sentence_that_names_what_is(inside: str) -> None:
    with pytest.raises(ModelSourceError, match=rf"nothing called {inside}; its models are model\.safetensors, onn"):
        choose_inside(REPOSITORY, inside, "me/model")


def test_several_exports_without_a_usual_name_are_named() -> None:
    with pytest.raises(ModelSourceError, match=r"several ONNX files \(onnx/a\.onnx, onnx/b\.onnx\): name one in full"):
        choose_inside(["config.json", "onnx/a.onnx", "onnx/b.onnx"], None, "me/model")
