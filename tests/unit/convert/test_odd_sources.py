"""Odd sources, and MODEL as users mistype it: each is read as it is meant, or refused in one sentence that is true."""

import re
import shutil
from pathlib import Path

import pytest

from bundles.format import Bundle
from bundles.sources import source_resolver
from bundles.sources.resolver import resolve
from convert import pipeline
from convert.graph import write_graph
from convert.pipeline import Conversion
from convert.quantise import dequantise
from convert.state_dict import Architecture, to_weights
from convert.word_pieces import from_word_pieces
from tests.support.broken import WEIGHTS, _sharded
from tests.support.families import NAMES, WORDS, family_classifier, write_family_folder
from tests.support.odd_sources import INDEX, READ, REFUSED, without_its_ends
from tests.support.resolved import Reports, refusal_of, settings_for

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good") / "model"
    write_family_folder(folder, "ELECTRA, small")
    from_word_pieces(folder / "vocab.txt", {"do_lower_case": False}).save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the good source, converted in this process, where any other error would end the test."""
    monkeypatch.setattr(source_resolver, "convert", lambda request, on_report: Conversion(request, on_report).run())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return Path(shutil.copytree(good, tmp_path / "model"))


def read(model: Path | str, folder: Path) -> tuple[Bundle, list[str]]:
    reports = Reports()
    return resolve(settings_for(model, folder.parent / "cache"), reports), reports.notices


@pytest.mark.parametrize("name", REFUSED)
def test_an_odd_source_is_refused_in_one_true_sentence(folder: Path, name: str) -> None:
    breaker, said = REFUSED[name]
    breaker(folder)
    message = refusal_of(settings_for(folder, folder.parent / "cache"))
    assert re.search(said, message), message
    assert "\n" not in message


@pytest.mark.parametrize("name", READ)
def test_an_odd_source_is_read_as_it_is_meant(folder: Path, name: str) -> None:
    READ[name](folder)
    bundle, _ = read(folder, folder)
    assert bundle.config.labels == [*NAMES]


def test_a_tokenizer_that_adds_nothing_is_told(folder: Path) -> None:
    without_its_ends(folder)
    _, notices = read(folder, folder)
    assert any("puts no [CLS] before a text" in notice for notice in notices)
    _, notices = read(folder, folder)
    assert not notices  # it is in the cache


def test_an_export_with_fewer_positions_than_its_config_says_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the first long text would fail, and be a worker's fault."""
    model = family_classifier("ELECTRA", vocab_size=len(WORDS), max_position_embeddings=128)
    (folder / WEIGHTS).unlink()
    weights = to_weights(model.state_dict(), "x", Architecture(heads=2, model_type="electra"))
    write_graph(dequantise(weights), folder / "model.onnx")
    message = refusal_of(settings_for(folder, folder.parent / "cache"))
    assert message.startswith("the model cannot read a text of 512 tokens (")
    assert "); set MAX_LENGTH to as many as it has positions" in message
    monkeypatch.setattr(pipeline, "CALIBRATION_TEXTS", ["짧은 글"])
    assert "cannot read a text of 512 tokens" in refusal_of(settings_for(folder, folder.parent / "cache"))
    bundle = resolve(settings_for(folder, folder.parent / "cache", max_length=128), Reports())
    assert bundle.config.max_length == 128


@pytest.mark.parametrize("file", ["config.json", "vocab.txt", "tokenizer.json"])
def test_a_file_without_weights_is_told_its_folder(folder: Path, file: str) -> None:
    message = refusal_of(settings_for(folder / file, folder.parent / "cache"))
    assert message == f"{folder / file} has no weights; set MODEL to the folder of the model, {folder}"


def test_the_index_of_a_checkpoint_in_parts_names_the_model(folder: Path) -> None:
    _sharded(dict)(folder)
    bundle, _ = read(folder / INDEX, folder)
    assert (bundle.config.name, bundle.config.labels) == ("model", [*NAMES])


@pytest.mark.parametrize("ends", [" {}", "{} ", "{}\n"])
def test_blanks_at_the_ends_of_model_do_not_matter(folder: Path, ends: str) -> None:
    bundle, _ = read(ends.format(folder), folder)
    assert bundle.config.name == "model"


@pytest.mark.parametrize(
    "model",
    [
        "~nobody-of-this-name/model", "a" * 5_000, "a\0b", r"C:\Users\me\model", "owner/name@", "owner/na%20me",
        "owner/name/../x", "@main", '"/tmp/model"', "/dev/null", "https://huggingface.co/owner/name",
    ],
)  # fmt: skip
def test_what_is_no_path_and_no_repository_is_one_sentence(tmp_path: Path, model: str) -> None:
    message = refusal_of(settings_for(model, tmp_path / "cache"))
    assert "there is no such file or folder, it is not owner/name on the Hub" in message
    assert message.endswith("for a page of the Hub set MODEL=owner/name") == ("://" in model)


def test_a_repositorys_folder_may_have_blanks_and_hangul(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    message = refusal_of(settings_for("owner/name/내 모델/1 회@main", tmp_path / "cache"))
    assert "owner/name was never downloaded" in message


@pytest.mark.parametrize("name", ["내 모델", "a%20b", "[1]", "a*b", "-rf", "a@b", "quote'\"q", r"C:\models\x"])
def test_a_folder_may_have_any_name(folder: Path, name: str) -> None:
    bundle, _ = read(folder.rename(folder.with_name(name)), folder)
    assert bundle.config.name == name
    assert (bundle.path.parent.parent.parent / name / WEIGHTS).is_file()
