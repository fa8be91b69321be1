"""Reads corrections from a JSON body and checks each, so that a bad one is named and stops no other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from api.corrections.schemas import MAX_NOTE_CHARS
from api.http.body import refuse_unknown_fields
from api.http.echo import is_unicode, quotable
from api.http.texts import check_text
from shared.corrections.records import NewCorrection
from shared.errors import KobertError, MalformedRequestError, TooLargeError, UnsupportedOptionError
from shared.policies.records import PolicyHead

FIELDS = ("text", "classification", "policy", "note")
MANY = "corrections"


@dataclass(frozen=True)
class Limits:
    """What a correction may be: how long its text, what the served models know, and which policies there are.

    `find_policy` raises MalformedRequestError where there is none of a name.
    """

    max_text_chars: int
    max_items: int
    labels: Sequence[str]
    find_policy: Callable[[object], PolicyHead]


@dataclass(frozen=True)
class Sender:
    """Who sends corrections, and when (Unix seconds)."""

    key_id: str
    now: int


def read_corrections(body: dict[str, Any], sender: Sender, limits: Limits) -> list[NewCorrection | KobertError]:
    """Each correction of a body, or why it is none.

    Raises:
        MalformedRequestError, TooLargeError: the body as a whole is refused.
    """
    if MANY not in body:
        refuse_unknown_fields(body, (*FIELDS, MANY))
        return [_read(body, "", sender, limits)]
    refuse_unknown_fields(body, (MANY,))
    items = body[MANY]
    if not isinstance(items, list) or not items:
        raise MalformedRequestError(f'"{MANY}" must be an array of at least one object', param=MANY)
    if len(items) > limits.max_items:
        raise TooLargeError(
            f"{len(items):,} corrections in one request; at most {limits.max_items:,} are taken "
            "(MAX_TEXTS_PER_REQUEST). Send them in parts",
            param=MANY,
        )
    return [_read(item, f"{MANY}[{index}]", sender, limits) for index, item in enumerate(items)]


def _read(item: object, name: str, sender: Sender, limits: Limits) -> NewCorrection | KobertError:
    try:
        return _checked(item, name, sender, limits)
    except KobertError as error:
        return error


def _checked(item: object, name: str, sender: Sender, limits: Limits) -> NewCorrection:
    if not isinstance(item, dict):
        raise MalformedRequestError(f'{name} must be an object with "text" and "classification"', param=name)
    refuse_unknown_fields(item, FIELDS)
    prefix = f"{name}." if name else ""
    if "text" not in item:
        raise MalformedRequestError(f'{prefix}text is missing: send {{"text": "…", "classification": "…"}}',
                                    param=f"{prefix}text")  # fmt: skip
    policy = _policy(item.get("policy"), f"{prefix}policy", limits)
    labels = [*limits.labels, *(() if policy is None else policy.own_labels)]
    return NewCorrection(
        text=check_text(item["text"], f"{prefix}text", limits.max_text_chars),
        classification=_classification(item.get("classification"), f"{prefix}classification", labels),
        policy=None if policy is None else str(item["policy"]),
        note=_note(item.get("note"), f"{prefix}note"),
        created_at=sender.now,
        created_by=sender.key_id,
    )


def _classification(value: object, param: str, labels: Sequence[str]) -> str:
    if isinstance(value, str) and value in labels:
        return value
    shown = f"not {quotable(value)[:60]!r}" if isinstance(value, str) else "a string"
    raise UnsupportedOptionError(f"{param} must be one of {', '.join(labels)}; {shown}", param=param)


def _policy(value: object, param: str, limits: Limits) -> PolicyHead | None:
    try:
        return None if value is None else limits.find_policy(value)
    except MalformedRequestError as error:
        raise MalformedRequestError(error.message, param=param) from error


def _note(value: object, param: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not is_unicode(value) or len(value) > MAX_NOTE_CHARS:
        raise MalformedRequestError(f"{param} must be a string of at most {MAX_NOTE_CHARS:,} characters", param=param)
    return value
