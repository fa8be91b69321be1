"""The JSON of requests for text classification."""

from typing import Any, Literal

import msgspec

from api.queue.judging import Item
from shared.errors import MalformedRequestError, TooLargeError


class Parameters(msgspec.Struct, forbid_unknown_fields=True):
    """How the reply is to look; `strictness`, `thresholds` and `policy` are ours."""

    top_k: int | None = None
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = None
    strictness: Any = None
    thresholds: Any = None
    policy: Any = None


class ClassificationRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body. `options` and `truncate` have no effect: nothing is loaded late, and long texts are read whole."""

    inputs: Any = None
    parameters: Parameters | None = None
    options: Any = None
    truncate: bool | None = None
    truncation_direction: str | None = None
    raw_scores: bool | None = None


def read_inputs(given: object, max_texts: int) -> list[Item]:
    """The texts of `inputs`, unchecked: a string, an array of strings, or an array of arrays of one string.

    Raises:
        MalformedRequestError: it is none of these, or has a pair.
        TooLargeError: it has more than `max_texts`.
    """
    if isinstance(given, str):
        return [Item(given, "inputs")]
    if not isinstance(given, list) or not given:
        raise MalformedRequestError('"inputs" must be a string or an array of at least one string', param="inputs")
    if len(given) > max_texts:
        raise TooLargeError(
            f"{len(given):,} inputs in one request; at most {max_texts:,} are taken (MAX_TEXTS_PER_REQUEST). "
            "Send them in parts",
            param="inputs",
        )
    return [Item(_single(element, f"inputs[{at}]"), f"inputs[{at}]") for at, element in enumerate(given)]


def _single(element: object, name: str) -> object:
    if not isinstance(element, list):
        return element
    if len(element) != 1:
        raise MalformedRequestError(f"{name} is a pair; this model reads one text at a time", param=name)
    return element[0]
