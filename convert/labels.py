"""Finds the names of a classifier's classes in the settings, in a file beside the model or in the config."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bundles.labels import find_clean_name
from bundles.model_config import ModelConfig
from shared.errors import ModelSourceError

_MOST_DIGITS = 9
# transformers' names of classes that nobody named, and what trainers call an output that no text has.
_PLACEHOLDER = re.compile(r"LABEL_\d+|\W*unused[\W_]*\d*\W*", re.IGNORECASE)


def choose_labels(
    set_by_user: list[str], categories: list[str] | None, config: ModelConfig, count: int, source: str
) -> list[str]:
    """The labels from the first of the three sources that has any, their Hangul composed.

    Raises:
        ModelSourceError: none has labels, one twice, two in another order, or their number is not `count`, the outputs
            of the model.
    """
    origin, labels = _first_named(set_by_user, categories, config)
    labels = _composed(labels)
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
    _refuse_bad_names(origin, labels)
    return labels


def _first_named(set_by_user: list[str], categories: list[str] | None, config: ModelConfig) -> tuple[str, list[str]]:
    """The labels of the first source that has any, and its name; nothing is read of the others for the user's."""
    if set_by_user:
        return "MODEL_LABELS", set_by_user
    if not categories:
        return "id2label of config.json", _named_by(config)
    _refuse_other_order("the file of labels", categories, "id2label of config.json", _in_order(config.id2label) or [])
    return "the file of labels", categories


def _named_by(config: ModelConfig) -> list[str]:
    """The names in a config; those of `label2id` where `id2label` has placeholders alone.

    Raises:
        ModelSourceError: it does not number its labels, or numbers them in two ways.
    """
    names, others = _in_order(config.id2label), _in_order(_turned(config.label2id))
    if names is None:
        raise ModelSourceError("id2label of config.json does not number its labels 0, 1, 2, …; set MODEL_LABELS")
    if others and len(others) == len(names or others) and all(map(_PLACEHOLDER.fullmatch, names)):
        return others
    _refuse_other_order("id2label of config.json", names, "its label2id", others or [])
    return names


def _refuse_other_order(origin: str, labels: list[str], other: str, others: list[str]) -> None:
    """Refuse the same names in two orders: one of them is wrong, and nothing says which."""
    labels, others = _composed(labels), _composed(others)
    if labels != others and sorted(labels) == sorted(others):
        raise ModelSourceError(
            f"{origin} numbers the classes {', '.join(labels)}, and {other} {', '.join(others)}; set MODEL_LABELS to "
            "the names in the order of the model's outputs"
        )


def _is_control(sign: str) -> bool:
    """Whether it is half a character, or one such as a line feed, which no answer or table can show."""
    return unicodedata.category(sign) in {"Cc", "Cs"}


def _composed(labels: Iterable[str]) -> list[str]:
    return [unicodedata.normalize("NFC", label).strip() for label in labels]


def _refuse_bad_names(origin: str, labels: Sequence[str]) -> None:
    unwritten = [index for index, label in enumerate(labels) if any(map(_is_control, label))]
    if unwritten:
        raise ModelSourceError(
            f"{origin} has no name that can be written for class {unwritten[0]} ({labels[unwritten[0]]!a}); set "
            "MODEL_LABELS to a name for each, in the order of their indices"
        )
    doubles = [label for label, times in Counter(labels).items() if times > 1 or not label]
    if doubles:
        raise ModelSourceError(
            f"{origin} names {doubles[0]!r} for several classes; set MODEL_LABELS to a name for each, in the "
            "order of their indices"
        )


def placeholders_in(labels: list[str]) -> list[str]:
    """Those of the names that name nothing: transformers' LABEL_0, LABEL_1, …, and outputs that are called unused."""
    return [label for label in labels if _PLACEHOLDER.fullmatch(label)]


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


def _in_order(id2label: Mapping[str, object] | None) -> list[str] | None:
    """The names by index, none if there are none; a name may be a number: `{"0": 1}` calls the first class "1".

    None where they are not numbered 0, 1, 2, ….
    """
    by_index = {
        int(index): "" if name is None else str(name)
        for index, name in (id2label or {}).items()
        if index.isdecimal() and len(index) <= _MOST_DIGITS
    }
    if sorted(by_index) != list(range(len(id2label or {}))):
        return None
    return [by_index[index] for index in range(len(by_index))]


def _turned(label2id: Mapping[str, object] | None) -> dict[str, str]:
    """Numbers to names."""
    return {str(index): name for name, index in (label2id or {}).items()}
