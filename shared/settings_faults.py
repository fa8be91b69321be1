"""Says what is wrong with a setting in a sentence that its user understands, instead of pydantic's."""

from collections.abc import Mapping
from typing import Any

_LONGEST_SHOWN = 40
_KINDS = {"int_parsing": "a whole number", "float_parsing": "a number", "bool_parsing": "true or false"}


def explain(fault: Mapping[str, Any]) -> str:
    """One error of pydantic's, with the name of its variable first.

    The value is shown only where a number or one of a few words is wanted: what else is set may be a secret.
    """
    name, *inside = fault["loc"]
    return f"{str(name).upper()}: {_labels(inside[0], fault) if inside else _sentence(fault)}"


def _sentence(fault: Mapping[str, Any]) -> str:
    kind, said, value = fault["type"], str(fault["msg"]), str(fault["input"])[:_LONGEST_SHOWN]
    if kind == "value_error":
        return said.removeprefix("Value error, ")
    if kind in _KINDS:
        return f"write {_KINDS[kind]}, not {value!r}"
    if kind == "literal_error":
        return f"write {said.removeprefix('Input should be ')}, not {value!r}"
    return said.replace("Input should", "it must").replace("it must be a valid", "it must be a")


def _labels(label: object, fault: Mapping[str, Any]) -> str:
    """Of a setting that has a number for each label, or a list of words."""
    if isinstance(label, int):
        return _sentence(fault)
    value = str(fault["input"])[:_LONGEST_SHOWN]
    shown = f"{str(label)[:_LONGEST_SHOWN]}={value}" if value else str(label)[:_LONGEST_SHOWN]
    return f"write each label with a score from 0 to 1, such as curse=0.4,insult=0.6, not {shown!r}"
