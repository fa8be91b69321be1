"""What a caller may set about a verdict: how strict it is, and the scores from which single labels count.

`POST /predict`, a job and the settings STRICTNESS and THRESHOLDS share these words; docs/model-bundles.md says which
model has which levels.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal, get_args

import msgspec

from shared.errors import MalformedRequestError, UnsupportedOptionError
from shared.span_options import CODEPOINTS, MaskStyle, Offsets, parse_span_options

Level = Literal["lenient", "standard", "strict"]
LEVELS: tuple[Level, ...] = get_args(Level)
STANDARD: Level = "standard"
MAX_THRESHOLDS = 256
_MAX_SHOWN_CHARS = 60


class PolicyRef(msgspec.Struct, frozen=True):
    """One version of a policy. `digest` is of its rules, so that two processes never mean different rules by it."""

    name: str
    version: int
    digest: str


class VerdictOptions(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Hashable. `strictness` is None where the setting decides; `thresholds` holds (label, score), by label.

    `policy` names the rules of a board; what it says of strictness, thresholds and labels is in the other fields by
    then. `labels` are those that may count, None for all. `details` asks what a verdict rests on.

    `explain` asks for spans, `mask` for a copy with the spans hidden, and `offsets` says what spans count in.

    A process that does not know one of a newer version's fields must not judge without it, so it refuses to read them.
    """

    strictness: Level | None = None
    thresholds: tuple[tuple[str, float], ...] = ()
    policy: PolicyRef | None = None
    labels: tuple[str, ...] | None = None
    details: bool = False
    explain: bool = False
    mask: MaskStyle | None = None
    offsets: Offsets = CODEPOINTS

    @property
    def wants_spans(self) -> bool:
        """Whether the answer needs the parts of the text that made the labels count."""
        return self.explain or self.mask is not None


NO_OPTIONS = VerdictOptions()


def parse_verdict_options(
    strictness: object,
    thresholds: object,
    details: object = None,
    spans: Mapping[str, object] = MappingProxyType({}),
) -> VerdictOptions | None:
    """The options from the JSON values that a client sent, each None where it sent none; None when it set none.

    `spans` has what it sent of `SPAN_FIELDS`, perhaps among other fields.

    Raises:
        MalformedRequestError: an unknown level, a threshold that is no number from 0 to 1, or `details` that is neither
            true nor false; names the field.
    """
    if details is not None and not isinstance(details, bool):
        raise MalformedRequestError(f"details must be true or false, not {_shown(details)}", param="details")
    asked = parse_span_options(spans)
    options = VerdictOptions(
        _parse_level(strictness),
        _parse_thresholds(thresholds),
        details=bool(details),
        explain=asked.explain,
        mask=asked.mask,
        offsets=asked.offsets,
    )
    return None if options == NO_OPTIONS else options


def read_thresholds_text(text: str) -> object:
    """The JSON value of thresholds that a form or a query holds: `curse=0.4,insult=0.6`, or a JSON object.

    Raises:
        MalformedRequestError: it begins like an object and is none.
    """
    if text.lstrip().startswith("{"):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise MalformedRequestError(f"thresholds is not a JSON object: {error}", param="thresholds") from error
    return {label: _as_number(value) for label, value in split_thresholds(text).items()}


def split_thresholds(text: str) -> dict[str, str]:
    """The labels and the values in `curse=0.4,insult=0.6`, as they stand there; a value that is missing is empty."""
    pairs = (part.rpartition("=") if "=" in part else (part, "", "") for part in text.split(",") if part.strip())
    return {label.strip(): value.strip() for label, _, value in pairs}


def check_supported(
    options: VerdictOptions, model: str, levels: Mapping[str, Mapping[str, float]], labels_of_model: Collection[str]
) -> None:
    """Check that `model`, which has these `levels` (level -> label -> threshold), can follow `options`.

    Raises:
        UnsupportedOptionError: it lacks the level or a label; says which it has.
    """
    if options.strictness is not None and options.strictness not in levels:
        raise UnsupportedOptionError(
            f"the model {model} has only the strictness {', '.join(levels)}, not {options.strictness}",
            param="strictness",
        )
    # A policy's lists have labels of their own.
    missing = [] if options.policy else [label for label in options.labels or () if label not in labels_of_model]
    if missing:
        raise UnsupportedOptionError(
            f"the model {model} has no label {', '.join(map(_shown, missing[:3]))}; it has "
            f"{', '.join(labels_of_model)}",
            param="labels",
        )
    hidden = options.mask.labels if options.mask and not options.policy else None
    unmasked = [label for label in hidden or () if label not in labels_of_model]
    if unmasked:
        raise UnsupportedOptionError(
            f"the model {model} has no label {', '.join(map(_shown, unmasked[:3]))} to mask; it has "
            f"{', '.join(labels_of_model)}",
            param="mask_labels",
        )
    labels = levels[STANDARD]
    unknown = [label for label, _ in options.thresholds if label not in labels]
    if unknown and not labels:
        raise UnsupportedOptionError(
            f"the model {model} answers its highest label and has no thresholds", param="thresholds"
        )
    if unknown:
        raise UnsupportedOptionError(
            f"the model {model} has no threshold for {', '.join(map(_shown, unknown[:3]))}; it has them "
            f"for {', '.join(labels)}",
            param="thresholds",
        )


def _parse_level(value: object) -> Level | None:
    if value is None:
        return None
    for level in LEVELS:
        if value == level:
            return level
    raise MalformedRequestError(
        f"strictness must be one of {', '.join(LEVELS)}, not {_shown(value)}", param="strictness"
    )


def _parse_thresholds(value: object) -> tuple[tuple[str, float], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise MalformedRequestError(
            f'thresholds must be an object such as {{"curse": 0.4}}, not {_shown(value)}', param="thresholds"
        )
    if len(value) > MAX_THRESHOLDS:
        raise MalformedRequestError(f"thresholds takes {MAX_THRESHOLDS} labels, not {len(value):,}", param="thresholds")
    return tuple(sorted((label, _parse_threshold(label, score)) for label, score in value.items()))


def _as_number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _parse_threshold(label: str, score: object) -> float:
    if any("\ud800" <= character <= "\udfff" for character in label):
        raise MalformedRequestError("thresholds has a label that is not valid Unicode", param="thresholds")
    # Written so that NaN fails too; True is an int to Python, and no score.
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise MalformedRequestError(
            f"thresholds: {_shown(label)} must have a number from 0 to 1, not {_shown(score)}", param="thresholds"
        )
    return float(score)


def _shown(value: object) -> str:
    """A value as JSON, shortened, for a message."""
    if isinstance(value, float):
        return str(value)  # JSON has no NaN
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        text = f"a {type(value).__name__} that JSON cannot hold"
    return text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "…"
