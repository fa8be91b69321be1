"""MODEL as its users set it, and what cannot be served: one sentence that says what to do."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")
import transformers

from bundles.sources.resolver import resolve
from shared.errors import ModelNotFoundError, ModelSourceError
from tests.support.checkpoints import bert_classifier
from tests.support.converting import convert_here
from tests.support.pickles import dumps
from tests.support.resolved import Reports, refusal_of, settings_for
from tests.support.sources import write_legacy_folder, write_transformers_folder

pytestmark = [pytest.mark.integration, pytest.mark.training]


def test_where_torch_is_not_installed_the_user_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    monkeypatch.setitem(sys.modules, "torch", None)  # how Python itself says that there is no such module
    sentence = refusal_of(settings_for(folder, tmp_path / "cache"))
    assert "must be converted once, which needs torch: " in sentence
    assert "[convert]" in sentence


def test_a_wrong_label_count_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert_here(monkeypatch)
    folder = write_legacy_folder(tmp_path / "legacy")
    message = refusal_of(settings_for(folder, tmp_path / "cache", model_labels=["clean", "curse"]))
    assert message == (
        "MODEL_LABELS names 2 classes (clean, curse) and the model has 3; "
        "set MODEL_LABELS to the names in the order of their indices"
    )


def test_a_model_without_named_classes_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert_here(monkeypatch)
    folder = write_legacy_folder(tmp_path / "legacy")
    (folder / "category.pkl").unlink()
    assert "does not name its 3 classes: set MODEL_LABELS" in refusal_of(settings_for(folder, tmp_path / "cache"))


@pytest.mark.parametrize("config", [{"problem_type": "regression"}, {"id2label": {"0": "LABEL_0"}}])
def test_a_model_that_answers_a_number_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    convert_here(monkeypatch)
    folder = write_transformers_folder(tmp_path / "source", **config)
    if "id2label" in config:
        save_one_output(folder)
    with pytest.raises(ModelSourceError, match=r"answers (a number|numbers) \(regression\), not classes"):
        resolve(settings_for(folder, tmp_path / "cache"))


def save_one_output(folder: Path) -> None:
    """A model with one output in place of the one in `folder`, whose config stays."""
    config = (folder / "config.json").read_text()
    bert_classifier(1).save_pretrained(folder)
    (folder / "config.json").write_text(config)


def test_a_hostile_category_file_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert_here(monkeypatch)
    folder = write_legacy_folder(tmp_path / "legacy")
    (folder / "category.pkl").write_bytes(dumps(os.getcwd))
    assert "category.pkl was refused: it asks for posix.getcwd" in refusal_of(settings_for(folder, tmp_path / "cache"))


def test_a_checkpoint_of_a_family_that_is_not_read_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert_here(monkeypatch)
    folder = write_transformers_folder(tmp_path / "bird")
    config = transformers.BigBirdConfig(
        vocab_size=100, hidden_size=64, num_hidden_layers=1, num_attention_heads=1, intermediate_size=64
    )
    transformers.BigBirdForSequenceClassification(config).save_pretrained(folder)
    message = refusal_of(settings_for(folder, tmp_path / "cache"))
    assert message.startswith(f"{folder} is a BigBirdForSequenceClassification, and only Bert, Roberta, ")


def test_a_truncated_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    path = folder / "textClassifierModel.pt"
    path.write_bytes(path.read_bytes()[:-500])
    assert "textClassifierModel.pt (" in refusal_of(settings_for(folder, tmp_path / "cache"))


def test_an_empty_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "has no model: it is empty" in refusal_of(settings_for(tmp_path / "empty", tmp_path / "cache"))


def test_several_checkpoints_in_one_folder_are_named(tmp_path: Path) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    (folder / "textClassifierModel.pt").rename(folder / "a.pt")
    (folder / "b.pt").write_bytes(b"")
    assert "holds several checkpoints (a.pt, b.pt)" in refusal_of(settings_for(folder, tmp_path / "cache"))


def test_a_source_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no such file or folder"):
        resolve(settings_for(tmp_path / "nowhere.pt", tmp_path / "cache"), Reports())


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert_here(monkeypatch)
    state = {name: tensor[:50] if "word_embeddings" in name else tensor
             for name, tensor in bert_classifier().state_dict().items()}  # fmt: skip
    folder = write_legacy_folder(tmp_path / "legacy", state)
    with pytest.raises(ModelSourceError, match="do not belong together"):
        resolve(settings_for(folder, tmp_path / "cache"), Reports())
