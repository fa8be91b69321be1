"""Labels are found, never invented."""

import unicodedata
from typing import Any

import pytest

from bundles.model_config import ModelConfig
from convert.labels import choose_clean_label, choose_labels, placeholders_in
from shared.errors import ModelSourceError


def config(*names: str | float, **fields: Any) -> ModelConfig:
    """A config whose classes have these names."""
    return ModelConfig(**{"id2label": {str(index): name for index, name in enumerate(names)}, **fields})


NAMED = config("긍정", "부정")


def test_the_setting_comes_before_the_categories_and_those_before_the_config() -> None:
    assert choose_labels(["x", "y"], ["clean", "curse"], NAMED, 2, "model.pt") == ["x", "y"]
    assert choose_labels([], ["clean", "curse"], NAMED, 2, "model.pt") == ["clean", "curse"]
    assert choose_labels([], None, NAMED, 2, "model.pt") == ["긍정", "부정"]


def test_a_model_whose_classes_nobody_names_is_refused() -> None:
    with pytest.raises(ModelSourceError, match=r"does not name its 5 classes: set MODEL_LABELS"):
        choose_labels([], None, ModelConfig(), 5, "model.pt")


def test_a_wrong_number_of_labels_is_refused() -> None:
    with pytest.raises(
        ModelSourceError, match=r"the file of labels names 2 classes \(clean, curse\) and the model has 5"
    ):
        choose_labels([], ["clean", "curse"], ModelConfig(), 5, "model.pt")


def test_labels_that_are_not_numbered_from_zero_are_refused() -> None:
    with pytest.raises(ModelSourceError, match="does not number its labels"):
        choose_labels([], None, ModelConfig(id2label={"1": "a", "2": "b"}), 2, "model.pt")


def test_a_setting_rescues_what_the_config_says_wrongly() -> None:
    assert choose_labels(["a", "b"], None, ModelConfig(id2label={"1": "a", "2": "b"}), 2, "model.pt") == ["a", "b"]


def test_labels_of_the_config_may_be_numbers() -> None:
    assert choose_labels([], None, config(0, 1), 2, "model.pt") == ["0", "1"]


@pytest.mark.parametrize("labels", [["욕설", "욕설"], ["욕설", unicodedata.normalize("NFD", "욕설")], ["a", " "]])
def test_a_name_for_two_classes_is_refused_by_name(labels: list[str]) -> None:
    with pytest.raises(ModelSourceError, match=r"id2label of config\.json names '.*' for several classes; set MODEL_L"):
        choose_labels([], None, config(*labels), 2, "model.pt")


def test_placeholders_of_transformers_are_recognised() -> None:
    assert placeholders_in(["LABEL_0", "LABEL_1"]) == ["LABEL_0", "LABEL_1"]
    assert placeholders_in(["curse", "LABEL_1"]) == ["LABEL_1"]
    assert placeholders_in(["curse", "[unused]", "unused_1", "욕설"]) == ["[unused]", "unused_1"]


def test_names_that_label2id_alone_has_are_taken() -> None:
    named = config("LABEL_0", "LABEL_1", label2id={"부정": 1, "긍정": 0})
    assert choose_labels([], None, named, 2, "model.pt") == ["긍정", "부정"]
    assert choose_labels([], None, ModelConfig(label2id={"a": 0, "b": 1}), 2, "model.pt") == ["a", "b"]


@pytest.mark.parametrize("label2id", [{"LABEL_0": 0, "LABEL_1": 1}, {"긍정": 0}, {"긍정": "x"}, {"a": 0, "b": 1}, {}])
def test_a_label2id_that_says_nothing_else_of_these_names_changes_nothing(label2id: dict[str, Any]) -> None:
    assert choose_labels([], None, config("긍정", "부정", label2id=label2id), 2, "model.pt") == ["긍정", "부정"]


def test_the_same_names_in_two_orders_are_refused_and_a_setting_rescues_them() -> None:
    turned = config("긍정", "부정", label2id={"긍정": 1, "부정": 0})
    with pytest.raises(
        ModelSourceError, match=r"numbers the classes 긍정, 부정, and its label2id 부정, 긍정; set MODEL"
    ):
        choose_labels([], None, turned, 2, "model.pt")
    with pytest.raises(
        ModelSourceError, match=r"file of labels numbers the classes 부정, 긍정, and id2label .* 긍정, 부정"
    ):
        choose_labels([], ["부정", "긍정"], NAMED, 2, "model.pt")
    assert choose_labels(["부정", "긍정"], ["긍정", "부정"], turned, 2, "model.pt") == ["부정", "긍정"]


def test_the_clean_label_is_the_users_or_one_that_is_called_so() -> None:
    assert choose_clean_label("괜찮음", ["괜찮음", "clean"], multi_label=False) == "괜찮음"
    assert choose_clean_label(None, ["curse", "Clean"], multi_label=False) == "Clean"
    assert choose_clean_label(None, ["긍정", "부정"], multi_label=False) is None
    assert choose_clean_label(None, ["curse", "hate"], multi_label=True) == "clean"


def test_a_clean_label_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(ModelSourceError, match=r"CLEAN_LABEL=ok is none of the model's labels \(긍정, 부정\)"):
        choose_clean_label("ok", ["긍정", "부정"], multi_label=False)
