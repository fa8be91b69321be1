"""What the model says of one text, and what stands in its place where it cannot say anything.

One `Verdict` goes unchanged from the judge to the queue, the ledger and the client.
"""

from typing import Literal

import msgspec

from shared.options import Level


class Span(msgspec.Struct, frozen=True):
    """A part of a text that made a label count.

    `start` and `end` are offsets in the text as sent, `text` is the slice between them, and `share` is how much of the
    label's score comes from it, 0 to 1.
    """

    label: str
    start: int
    end: int
    text: str
    share: float


class Match(msgspec.Struct, frozen=True):
    """An entry of a policy that fired: which, the label that it made count (None: it is allowed), and where."""

    list: Literal["deny", "allow"]
    term: str
    label: str | None
    start: int
    end: int
    text: str


class PolicyVersion(msgspec.Struct, frozen=True):
    """The policy that a text was judged by."""

    name: str
    version: int


class Details(msgspec.Struct, frozen=True):
    """What a verdict rests on: the model, the policy if one was named, and the scores from which each label counted."""

    model: str
    revision: str
    policy: PolicyVersion | None
    strictness: Level
    thresholds: dict[str, float]


class Verdict(msgspec.Struct, frozen=True):
    """The fields of a reply of `/predict`, in their order.

    `classification` is the one word to act on and `confidence` its score; `scores` has every label, highest first (of a
    stored result: in the order of the model's labels); `labels` are those that count; `windows` is how many pieces a
    long text was read in. `spans` and `masked`, a copy of the text with its spans hidden, are there if asked for.
    With a policy come `matches`, its entries that fired, and `policy`; `details` if asked for. `corrected` is there,
    and true, where a person's correction is the answer.
    """

    classification: str
    confidence: float
    scores: dict[str, float]
    labels: list[str]
    windows: int = 1
    spans: list[Span] | msgspec.UnsetType = msgspec.UNSET
    masked: str | msgspec.UnsetType = msgspec.UNSET
    matches: list[Match] | msgspec.UnsetType = msgspec.UNSET
    policy: PolicyVersion | msgspec.UnsetType = msgspec.UNSET
    details: Details | msgspec.UnsetType = msgspec.UNSET
    corrected: bool | msgspec.UnsetType = msgspec.UNSET


# Fields of a verdict that are there only if asked for.
EXTRA_FIELDS = tuple(field.name for field in msgspec.structs.fields(Verdict) if field.default is msgspec.UNSET)


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """Why one text has no verdict: `code`, for programs, is one of `shared.errors`; `message` is for people."""

    code: str
    message: str


Outcome = Verdict | Failure
