"""Finds the names of a classifier's classes in the settings, in `category.pkl` or in the config."""

import re
from collections.abc import Mapping

from shared.errors import ModelSourceError

_PLACEHOLDER = re.compile(r"LABEL_\d+")
_CLEAN_NAMES = ("clean", "정상")


def choose_labels(
    set_by_user: list[str], categories: list[str] | None, id2label: Mapping[str, str] | None, count: int, source: str
) -> list[str]:
    """The labels from the first of the three sources that has any.

    Raises:
        ModelSourceError: none has labels, or their number is not `count`, the outputs of the model.
    """
    named = {
        "MODEL_LABELS": set_by_user,
        "category.pkl": categories or [],
        "id2label of config.json": _in_order(id2label or {}),
    }
    origin, labels = next(((origin, labels) for origin, labels in named.items() if labels), ("", []))
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
    return labels


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
    found = next((label for label in labels if label.casefold() in _CLEAN_NAMES), None)
    return found or ("clean" if multi_label else None)


def _in_order(id2label: Mapping[str, str]) -> list[str]:
    by_index = {int(index): name for index, name in id2label.items() if index.isdecimal()}
    if sorted(by_index) != list(range(len(id2label))):
        raise ModelSourceError("id2label of config.json does not number its labels 0, 1, 2, …; set MODEL_LABELS")
    return [by_index[index] for index in range(len(by_index))]
