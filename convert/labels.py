"""Finds the names of a classifier's classes in the settings, in a file beside the model or in the config."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from bundles.labels import find_clean_name
from shared.errors import ModelSourceError

_PLACEHOLDER = re.compile(r"LABEL_\d+")


def choose_labels(
    set_by_user: list[str], categories: list[str] | None, id2label: Mapping[str, object] | None, count: int, source: str
) -> list[str]:
    """The labels from the first of the three sources that has any, their Hangul composed.

    Raises:
        ModelSourceError: none has labels, one twice, or their number is not `count`, the outputs of the model.
    """
    origin, labels = _first_named(set_by_user, categories, id2label)
    labels = [unicodedata.normalize("NFC", label).strip() for label in labels]
    if not labels:
        raise ModelSourceError(
            f"{source} does not name its {count} classes: set MODEL_LABELS to their names in the order of their "
            "indices (MODEL_LABELS=clean,curse), or add category.pkl"
        )
    if len(labels) != count:
        raise ModelSourceError(
            f"{origin} names {len(labels)} classes ({', '.join(labels)}) and the model has {count}; "
            "set MODEL_LABELS to the names in the order of their indices"
        )
    _refuse_doubles(origin, labels)
    return labels


def _first_named(
    set_by_user: list[str], categories: list[str] | None, id2label: Mapping[str, object] | None
) -> tuple[str, list[str]]:
    """The labels of the first source that has any, and its name; nothing is read of those behind it."""
    if set_by_user:
        return "MODEL_LABELS", set_by_user
    if categories:
        return "the file of labels", categories
    return "id2label of config.json", _in_order(id2label or {})


def _refuse_doubles(origin: str, labels: Sequence[str]) -> None:
    doubles = [label for label, times in Counter(labels).items() if times > 1 or not label]
    if doubles:
        raise ModelSourceError(
            f"{origin} names {doubles[0]!r} for several classes; set MODEL_LABELS to a name for each, in the "
            "order of their indices"
        )


def are_placeholders(labels: list[str]) -> bool:
    """Whether the names are the placeholders of transformers: LABEL_0, LABEL_1, …."""
    return all(_PLACEHOLDER.fullmatch(label) for label in labels)


def choose_clean_label(set_by_user: str | None, labels: list[str], *, multi_label: bool) -> str | None:
    """The label that means "nothing wrong": the user's, else one that is called so.

    Raises:
        ModelSourceError: the user's label is unknown, and the model gives one label per text.
    """
    if set_by_user is not None and set_by_user not in labels and not multi_label:
        raise ModelSourceError(f"CLEAN_LABEL={set_by_user} is none of the model's labels ({', '.join(labels)})")
    if set_by_user is not None:
        return set_by_user
    return find_clean_name(labels) or ("clean" if multi_label else None)


def _in_order(id2label: Mapping[str, object]) -> list[str]:
    """The names by index; a name may be a number: `{"0": 1}` calls the first class "1"."""
    by_index = {int(index): str(name) for index, name in id2label.items() if index.isdecimal()}
    if sorted(by_index) != list(range(len(id2label))):
        raise ModelSourceError("id2label of config.json does not number its labels 0, 1, 2, …; set MODEL_LABELS")
    return [by_index[index] for index in range(len(by_index))]
