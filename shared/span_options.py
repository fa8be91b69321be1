"""What a caller may ask about the parts of a text that made its verdict: spans, and a copy in which they are hidden."""

import re
from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from shared.errors import MalformedRequestError

SPAN_FIELDS = ("explain", "mask", "mask_char", "mask_keep_first", "mask_labels", "offsets")
_SPAN_FIELDS = frozenset(SPAN_FIELDS)
Offsets = Literal["codepoints", "utf16"]
CODEPOINTS: Offsets = "codepoints"
MAX_MASK_LABELS = 256
# Signs and letters of a keyboard, also full width, shapes, and emoji of one character: all of them show.
MASK_CHAR_PATTERN = "^[!-~\uac00-\ud7a3\u2022\u203b\u25a0-\u26ff\uff01-\uff5e\U0001f300-\U0001f64f]$"


class MaskStyle(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How spans are hidden: by which character, with the first letter of each word left or not, and of which labels.

    None where the caller says nothing: the policy decides, else `*`, nothing left, and all labels.
    """

    char: str | None = None
    keep_first: bool | None = None
    labels: tuple[str, ...] | None = None


class SpanOptions(msgspec.Struct, frozen=True):
    """What of `SPAN_FIELDS` a caller set."""

    explain: bool = False
    mask: MaskStyle | None = None
    offsets: Offsets = CODEPOINTS


NO_SPANS = SpanOptions()


def parse_span_options(fields: Mapping[str, object]) -> SpanOptions:
    """The options from the JSON values that a client sent; what is absent or None is not set.

    Raises:
        MalformedRequestError: a value that a field cannot have; names the field.
    """
    if _SPAN_FIELDS.isdisjoint(fields):
        return NO_SPANS
    explain, is_masked = _flag(fields, "explain"), _flag(fields, "mask")
    style = MaskStyle(_mask_char(fields.get("mask_char")), _flag(fields, "mask_keep_first"), _labels(fields))
    # Who says how to mask wants a mask.
    wants_mask = style != MaskStyle() if is_masked is None else is_masked
    return SpanOptions(bool(explain), style if wants_mask else None, _offsets(fields.get("offsets")))


def check_mask_char(value: object, param: str) -> str:
    """One character that shows, to hide others behind.

    Raises:
        MalformedRequestError: it is anything else.
    """
    if not isinstance(value, str) or not re.fullmatch(MASK_CHAR_PATTERN, value):
        raise MalformedRequestError(
            f'{param} must be one character: a sign such as "*", a letter, a shape or an emoji', param=param
        )
    return value


def _flag(fields: Mapping[str, object], name: str) -> bool | None:
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise MalformedRequestError(f"{name} must be true or false", param=name)


def _mask_char(value: object) -> str | None:
    return None if value is None else check_mask_char(value, "mask_char")


def _labels(fields: Mapping[str, object]) -> tuple[str, ...] | None:
    value = fields.get("mask_labels")
    if value is None:
        return None
    # A form or a query has no arrays: curse,insult.
    labels = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise MalformedRequestError('mask_labels must be an array of labels, such as ["curse"]', param="mask_labels")
    if len(labels) > MAX_MASK_LABELS:
        raise MalformedRequestError(
            f"mask_labels takes {MAX_MASK_LABELS} labels, not {len(labels):,}", param="mask_labels"
        )
    if any("\ud800" <= character <= "\udfff" for label in labels for character in label):
        raise MalformedRequestError("mask_labels has a label that is not valid Unicode", param="mask_labels")
    return tuple(sorted(set(labels)))


def _offsets(value: object) -> Offsets:
    if value is None:
        return CODEPOINTS
    for kind in get_args(Offsets):
        if value == kind:
            return CODEPOINTS if kind == CODEPOINTS else "utf16"
    raise MalformedRequestError("offsets must be codepoints or utf16", param="offsets")
