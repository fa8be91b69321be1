"""A correction: what a person says that a text should have been answered with."""

import re

import msgspec

PREFIX = "cor_"
_ID = re.compile(r"cor_([1-9][0-9]{0,14})")


class NewCorrection(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a correction; `policy` is the one it is for, None for all.

    `created_by` is the id of the key that sent it, `created_at` Unix seconds.
    """

    text: str
    classification: str
    policy: str | None = None
    note: str = ""
    created_at: int = 0
    created_by: str = ""


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A stored correction. `version` grows with every change to any correction; the newest has the highest."""

    id: str
    version: int
    record: NewCorrection

    @property
    def number(self) -> int:
        """The id as a number."""
        return int(self.id.removeprefix(PREFIX))


def correction_id(number: int) -> str:
    """The id that clients see."""
    return f"{PREFIX}{number}"


def number_of(correction_id: str) -> int | None:
    """The number in an id; None if it is no id of a correction."""
    found = _ID.fullmatch(correction_id)
    return None if found is None else int(found[1])
