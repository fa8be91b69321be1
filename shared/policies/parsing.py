"""Reads the rules of a policy from the JSON (or TOML) values that a person wrote, naming the entry at fault."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import MalformedRequestError, TooLargeError
from shared.options import parse_verdict_options
from shared.policies.nesting import MAX_NESTED, too_many_nested
from shared.policies.pauses import with_pauses
from shared.policies.records import DENIED, MAX_NAME_CHARS, AllowedTerm, DeniedTerm, MaskRules, MatchBy, Policy
from shared.span_options import check_mask_char

FIELDS = ("strictness", "thresholds", "labels", "deny", "allow", "mask")
MAX_TERM_CHARS = 100
MAX_LABEL_CHARS = 64
MAX_LABELS = 256
_MATCHES: tuple[MatchBy, ...] = ("word", "part")


def parse_policy(body: Mapping[str, Any], max_entries: int) -> Policy:
    """The rules in `body`, which holds known fields alone.

    Raises:
        MalformedRequestError: a value that the field cannot have; names the field, or the entry as `deny[3]`.
        TooLargeError: more entries than `max_entries`.
    """
    options = parse_verdict_options(body.get("strictness"), body.get("thresholds"))
    deny, allow = _entries(body.get("deny"), "deny"), _entries(body.get("allow"), "allow")
    if len(deny) + len(allow) > max_entries:
        raise TooLargeError(
            f"{len(deny) + len(allow):,} entries in deny and allow; a policy takes {max_entries:,} (MAX_POLICY_ENTRIES)"
        )
    denied = tuple(dict.fromkeys(_denied(entry, f"deny[{place}]") for place, entry in enumerate(with_pauses(deny))))
    allowed = tuple(dict.fromkeys(_allowed(entry, f"allow[{place}]") for place, entry in enumerate(with_pauses(allow))))
    _require_few_nested([*denied, *allowed])
    return Policy(
        strictness=None if options is None else options.strictness,
        thresholds={} if options is None else dict(options.thresholds),
        labels=_labels(body.get("labels"), "labels"),
        deny=denied,
        allow=allowed,
        mask=_mask(body.get("mask")),
    )


def _entries(value: object, name: str) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedRequestError(f'{name} must be an array of terms such as ["멍청이"]', param=name)
    return value


def _denied(entry: object, where: str) -> DeniedTerm:
    fields = _fields(entry, where, ("term", "label", "match"))
    label = fields.get("label")
    return DeniedTerm(
        _term(fields.get("term"), where),
        DENIED if label is None else _label(label, where),
        _match(fields.get("match"), where, "word"),
    )


def _allowed(entry: object, where: str) -> AllowedTerm:
    fields = _fields(entry, where, ("term", "match"))
    return AllowedTerm(_term(fields.get("term"), where), _match(fields.get("match"), where, "part"))


def _fields(entry: object, where: str, known: tuple[str, ...]) -> Mapping[str, object]:
    if isinstance(entry, str):
        return {"term": entry}
    if not isinstance(entry, dict):
        raise MalformedRequestError(f'{where} must be a string or an object with "term"', param=where)
    unknown = next((name for name in entry if name not in known), None)
    if unknown is not None:
        raise MalformedRequestError(
            f"{where} has a field {_shown(unknown)}; an entry has {', '.join(known)}", param=where
        )
    return entry


def _require_few_nested(entries: Sequence[DeniedTerm | AllowedTerm]) -> None:
    """Refuse what workers would leave out: see `too_many_nested`. They also see through disguises."""
    plain = Counter("".join(entry.term.casefold().split()) for entry in entries)
    cut = min(too_many_nested(plain), key=len, default=None)
    if cut is not None:
        raise MalformedRequestError(
            f"more than {MAX_NESTED} entries of deny and allow are, or end in, {_shown(cut[-MAX_NESTED:])}; "
            "leave out those that contain another one",
            param="deny",
        )


def _term(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise MalformedRequestError(f"{where} has no term, which is a string", param=where)
    _require_unicode(value, where)
    term = unicodedata.normalize("NFC", value[: 8 * MAX_TERM_CHARS]).strip()
    if len(value) > 8 * MAX_TERM_CHARS or len(term) > MAX_TERM_CHARS:
        raise MalformedRequestError(
            f"{where} has {len(value):,} characters; a term takes {MAX_TERM_CHARS}. Deny a part of it", param=where
        )
    if not any(character.isprintable() and not character.isspace() for character in term):
        raise MalformedRequestError(f"{where} is empty or blank", param=where)
    return term


def _match(value: object, where: str, usual: MatchBy) -> MatchBy:
    if value is None:
        return usual
    for match in _MATCHES:
        if value == match:
            return match
    raise MalformedRequestError(f"{where}: match is word or part, not {_shown(value)}", param=where)


def _label(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_LABEL_CHARS or not value.isprintable():
        raise MalformedRequestError(
            f"{where}: a label is a string of 1 to {MAX_LABEL_CHARS} characters, not {_shown(value)}", param=where
        )
    _require_unicode(value, where)
    if "|" in value:
        raise MalformedRequestError(f"{where}: a label has no |, which separates labels in csv files", param=where)
    return value.strip()


def _labels(value: object, where: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_LABELS:
        raise MalformedRequestError(f"{where} must be an array of up to {MAX_LABELS} labels", param=where)
    return tuple(dict.fromkeys(_label(label, f"{where}[{place}]") for place, label in enumerate(value)))


def _mask(value: object) -> MaskRules | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) - {"labels", "char", "keep_first"}:
        raise MalformedRequestError('mask is an object with "labels", "char" and "keep_first"', param="mask")
    char, keep_first = value.get("char", "*"), value.get("keep_first", False)
    if not isinstance(keep_first, bool):
        raise MalformedRequestError(
            f"mask.keep_first must be true or false, not {_shown(keep_first)}", param="mask.keep_first"
        )
    return MaskRules(_labels(value.get("labels"), "mask.labels"), check_mask_char(char, "mask.char"), keep_first)


def _require_unicode(text: str, where: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise MalformedRequestError(f"{where} holds half of a surrogate pair, which is not valid Unicode", param=where)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_NAME_CHARS else text[:MAX_NAME_CHARS] + "…"
