"""The JSON of Perspective's requests, named as in its discovery document."""

from typing import Any

import msgspec

from api.doors.perspective.scores import ATTRIBUTES
from shared.errors import MalformedRequestError, UnsupportedOptionError

PROBABILITY = "PROBABILITY"
EXPERIMENTAL = "_EXPERIMENTAL"
# What Perspective has besides, for other languages or as an experiment (its list of attributes).
OTHERS = frozenset((
    "AFFINITY", "ATTACK_ON_AUTHOR", "ATTACK_ON_COMMENTER", "COMPASSION", "CURIOSITY", "FLIRTATION", "INCOHERENT",
    "INFLAMMATORY", "LIKELY_TO_REJECT", "NUANCE", "OBSCENE", "PERSONAL_STORY", "REASONING", "RESPECT",
    "SEXUALLY_EXPLICIT", "SPAM", "UNSUBSTANTIAL",
))  # fmt: skip


class TextEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A text; what is no string is refused later, by the checks that every text passes."""

    text: Any = None
    type: str = "PLAIN_TEXT"


class AttributeParameters(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """How one attribute is asked for."""

    score_type: str = PROBABILITY
    score_threshold: float = 0.0


class AnalyzeRequest(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The body of `comments:analyze`. `context`, `sessionId` and `doNotStore` are taken and have no effect.

    `communityId` names a policy; one that does not is of another service's making, and has no effect.
    """

    comment: TextEntry | None = None
    requested_attributes: dict[str, AttributeParameters | None] | None = None
    languages: list[str] | None = None
    span_annotations: bool | None = None
    drop_unsupported_attributes: bool | None = None
    client_token: str | None = None
    community_id: str | None = None
    context: Any = None
    session_id: str | None = None
    do_not_store: bool | None = None


class Score(msgspec.Struct):
    """One score; its `type` and any other field have no effect."""

    value: float


class SuggestedScores(msgspec.Struct, rename="camel"):
    """What an attribute should have been; scores of spans have no effect."""

    summary_score: Score | None = None


class SuggestRequest(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The body of `comments:suggestscore`. `context`, `languages` and `sessionId` are taken and have no effect."""

    comment: TextEntry | None = None
    attribute_scores: dict[str, SuggestedScores] | None = None
    languages: list[str] | None = None
    client_token: str | None = None
    community_id: str | None = None
    context: Any = None
    session_id: str | None = None


def attribute_of(name: str) -> str:
    """`INSULT` for `INSULT` and `INSULT_EXPERIMENTAL`."""
    return name.removesuffix(EXPERIMENTAL)


def require_attributes(asked: AnalyzeRequest, answerable: frozenset[str]) -> dict[str, AttributeParameters]:
    """The attributes to answer, by the names that the client gave them.

    Raises:
        MalformedRequestError: there are none, one is unknown to Perspective, or a score type is.
        UnsupportedOptionError: the served model cannot answer one, and the client did not say to leave such ones out.
    """
    if not asked.requested_attributes:
        raise MalformedRequestError("Missing requested_attributes", param="requestedAttributes")
    found: dict[str, AttributeParameters] = {}
    for name, given in asked.requested_attributes.items():
        parameters = given or AttributeParameters()
        _check_score_type(name, parameters)
        if attribute_of(name) in answerable:
            found[name] = parameters
        elif attribute_of(name) not in {*OTHERS, *ATTRIBUTES}:
            raise MalformedRequestError(f"Unknown requested attribute: {name}", param=f"requestedAttributes.{name}")
        elif not asked.drop_unsupported_attributes:
            raise UnsupportedOptionError(
                f"Attribute {name} does not support request languages: ko. "
                f"This service answers {', '.join(sorted(answerable)) or 'none, as its model has no label for clean'}",
                param=name,
            )
    return found


def require_comment(asked: AnalyzeRequest | SuggestRequest) -> TextEntry:
    """The comment.

    Raises:
        MalformedRequestError: there is none, or it is not plain text.
    """
    if asked.comment is None:
        raise MalformedRequestError("comment is missing; send {'comment': {'text': '…'}, …}", param="comment")
    if asked.comment.type not in {"PLAIN_TEXT", "TEXT_TYPE_UNSPECIFIED"}:
        raise MalformedRequestError("Currently, only 'PLAIN_TEXT' comments are supported", param="comment.type")
    return asked.comment


def _check_score_type(name: str, parameters: AttributeParameters) -> None:
    if parameters.score_type not in {PROBABILITY, "SCORE_TYPE_UNSPECIFIED"}:
        raise MalformedRequestError(
            f"Requested score type {parameters.score_type} is not supported by attribute {name}",
            param=f"requestedAttributes.{name}.scoreType",
        )
