"""The file that names a model's classes, as tutorials, scikit-learn and people leave it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.categories import read_categories
from shared.errors import ModelSourceError
from tests.support.pickles import PROTOCOLS, dumps, label_encoder

NAMES = ["clean", "욕설"]
# As users' scripts write them.
PICKLED: list[Any] = [
    {"clean": 0, "욕설": 1},
    {1: "욕설", 0: "clean"},
    ["clean", "욕설"],
    ("clean", "욕설"),
    {"clean": 1, "욕설": 2},
    {"clean": np.int64(0), "욕설": np.int64(1)},
    {np.int32(1): "욕설", np.int32(0): "clean"},
    {np.str_("clean"): 0, np.str_("욕설"): 1},
    {"clean": 0.0, "욕설": 1.0},
    np.array(NAMES),
    np.array(NAMES, dtype=object),
]


@pytest.mark.parametrize("value", PICKLED)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_names_the_classes_in_the_order_of_their_indices(tmp_path: Path, value: Any, protocol: int) -> None:
    path = tmp_path / "category.pkl"
    path.write_bytes(dumps(value, protocol))
    assert read_categories(path) == NAMES


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", [object, str])
def test_a_label_encoder_of_scikit_learn_names_them(tmp_path: Path, protocol: int, dtype: type) -> None:
    path = tmp_path / "label_encoder.pkl"
    path.write_bytes(label_encoder(np.array(NAMES, dtype=dtype), protocol))
    assert read_categories(path) == NAMES


@pytest.mark.parametrize(
    "value", [NAMES, {"clean": 0, "욕설": 1}, {"0": "clean", "1": "욕설"}, {"1": "clean", "2": "욕설"}]
)
def test_json_names_them(tmp_path: Path, value: object) -> None:
    path = tmp_path / "label_map.json"
    path.write_text(json.dumps(value), encoding="utf-8-sig")
    assert read_categories(path) == NAMES


def test_a_text_has_one_name_a_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("clean\r\n욕설\r\n", encoding="utf-8-sig")
    assert read_categories(path) == NAMES


@pytest.mark.parametrize(
    "value", [{"clean": 2, "curse": 3}, {"clean": 0, "curse": 0}, {}, 5, {"clean": "x"}, [0, 1], np.array([[1, 2]])]
)
def test_what_numbers_no_classes_is_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "category.pkl"
    path.write_bytes(dumps(value))
    with pytest.raises(ModelSourceError, match="does not name the classes"):
        read_categories(path)


@pytest.mark.parametrize("content", ["{", "\ud800".encode("utf-8", "surrogatepass").decode("latin1")])
def test_json_that_is_broken_is_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(content.encode("latin1"))
    with pytest.raises(ModelSourceError, match=r"labels\.json cannot be read: .*; set MODEL_LABELS instead"):
        read_categories(path)


def test_an_array_of_objects_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "category.pkl"
    path.write_bytes(dumps(np.array([print, print], dtype=object)))
    with pytest.raises(ModelSourceError, match=r"it asks for builtins\.print; nothing in it was run"):
        read_categories(path)
