"""Labels are found, never invented."""

import unicodedata

import pytest

from convert.labels import are_placeholders, choose_clean_label, choose_labels
from shared.errors import ModelSourceError

ID2LABEL = {"0": "긍정", "1": "부정"}


def test_the_setting_comes_before_the_categories_and_those_before_the_config() -> None:
    assert choose_labels(["x", "y"], ["clean", "curse"], ID2LABEL, 2, "model.pt") == ["x", "y"]
    assert choose_labels([], ["clean", "curse"], ID2LABEL, 2, "model.pt") == ["clean", "curse"]
    assert choose_labels([], None, ID2LABEL, 2, "model.pt") == ["긍정", "부정"]


def test_a_model_whose_classes_nobody_names_is_refused() -> None:
    with pytest.raises(ModelSourceError, match=r"does not name its 5 classes: set MODEL_LABELS"):
        choose_labels([], None, {}, 5, "model.pt")


def test_a_wrong_number_of_labels_is_refused() -> None:
    with pytest.raises(
        ModelSourceError, match=r"the file of labels names 2 classes \(clean, curse\) and the model has 5"
    ):
        choose_labels([], ["clean", "curse"], {}, 5, "model.pt")


def test_labels_that_are_not_numbered_from_zero_are_refused() -> None:
    with pytest.raises(ModelSourceError, match="does not number its labels"):
        choose_labels([], None, {"1": "a", "2": "b"}, 2, "model.pt")


def test_a_setting_rescues_what_the_config_says_wrongly() -> None:
    assert choose_labels(["a", "b"], None, {"1": "a", "2": "b"}, 2, "model.pt") == ["a", "b"]


def test_labels_of_the_config_may_be_numbers() -> None:
    assert choose_labels([], None, {"0": 0, "1": 1}, 2, "model.pt") == ["0", "1"]


@pytest.mark.parametrize("labels", [["욕설", "욕설"], ["욕설", unicodedata.normalize("NFD", "욕설")], ["a", " "]])
def test_a_name_for_two_classes_is_refused_by_name(labels: list[str]) -> None:
    with pytest.raises(ModelSourceError, match=r"id2label of config\.json names '.*' for several classes; set MODEL_L"):
        choose_labels([], None, dict(zip("01", labels, strict=True)), 2, "model.pt")


def test_placeholders_of_transformers_are_recognised() -> None:
    assert are_placeholders(["LABEL_0", "LABEL_1"])
    assert not are_placeholders(["LABEL_0", "clean"])


def test_the_clean_label_is_the_users_or_one_that_is_called_so() -> None:
    assert choose_clean_label("괜찮음", ["괜찮음", "clean"], multi_label=False) == "괜찮음"
    assert choose_clean_label(None, ["curse", "Clean"], multi_label=False) == "Clean"
    assert choose_clean_label(None, ["긍정", "부정"], multi_label=False) is None
    assert choose_clean_label(None, ["curse", "hate"], multi_label=True) == "clean"


def test_a_clean_label_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(ModelSourceError, match=r"CLEAN_LABEL=ok is none of the model's labels \(긍정, 부정\)"):
        choose_clean_label("ok", ["긍정", "부정"], multi_label=False)
