"""The columns of a result file that only some jobs have: those asked for, `matches` of a policy, `corrected`."""

from typing import Any

import msgspec

from shared.jobs.records import Job
from shared.options import NO_OPTIONS
from shared.verdict import EXTRA_FIELDS, Verdict

_encode = msgspec.json.Encoder().encode


def optional_columns(job: Job) -> list[str]:
    """Their names, in the order of a verdict's fields."""
    options = job.spec.options or NO_OPTIONS
    there = {
        "spans": options.explain,
        "masked": options.mask is not None,
        "corrected": job.corrected > 0,
        "matches": options.policy is not None,
        "details": options.details,
    }
    return [name for name in EXTRA_FIELDS if there.get(name)]


def optional_values(verdict: Verdict) -> dict[str, Any]:
    """What the verdict has of them, as JSON values."""
    found = {name: getattr(verdict, name) for name in EXTRA_FIELDS}
    return {name: value for name, value in found.items() if value is not msgspec.UNSET}


def optional_cells(verdict: Verdict, columns: list[str]) -> list[str | None]:
    """The cells of these columns: text as it is, anything else as JSON, None where there is nothing."""
    values = optional_values(verdict)
    return [_cell(values[name]) if name in values else None for name in columns]


def _cell(value: object) -> str:
    return value if isinstance(value, str) else _encode(value).decode()
