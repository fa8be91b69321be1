"""A policy as a table of POLICIES_FILE, to be pasted there."""

import json
from collections.abc import Iterable

import msgspec

from shared.policies.records import AllowedTerm, DeniedTerm, Policy


def as_toml(name: str, policy: Policy) -> str:
    """The table `[name]` with what the policy sets."""
    lines = [f"[{_string(name)}]"]
    if policy.strictness is not None:
        lines.append(f"strictness = {_string(policy.strictness)}")
    if policy.thresholds:
        lines.append(f"thresholds = {_table({label: repr(float(cut)) for label, cut in policy.thresholds.items()})}")
    if policy.labels is not None:
        lines.append(f"labels = {_array(map(_string, policy.labels))}")
    lines += [f"{kind} = {_array(map(_entry, terms))}" for kind, terms in _lists(policy) if terms]
    if policy.mask is not None:
        mask = policy.mask
        labels = {} if mask.labels is None else {"labels": _array(map(_string, mask.labels))}
        keep_first = "true" if mask.keep_first else "false"
        lines.append(f"mask = {_table({**labels, 'char': _string(mask.char), 'keep_first': keep_first})}")
    return "\n".join(lines) + "\n"


def _lists(policy: Policy) -> list[tuple[str, tuple[DeniedTerm, ...] | tuple[AllowedTerm, ...]]]:
    return [("deny", policy.deny), ("allow", policy.allow)]


def _entry(entry: DeniedTerm | AllowedTerm) -> str:
    fields = {**msgspec.to_builtins(entry), "term": entry.term}
    return _string(entry.term) if len(fields) == 1 else _table({key: _string(text) for key, text in fields.items()})


def _string(text: str) -> str:
    # A JSON string is a basic string of TOML, but for one control character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _array(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"


def _table(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f"{_string(key)} = {value}" for key, value in fields.items()) + "}"
