"""The messages between API and workers: frozen, typed, versioned JSON.

A `PredictMessage` goes from an API process through Celery to a worker; `Reply` objects come back on the stream named by
`reply_to`; a `Heartbeat` is the state that a worker reports. Times are Unix seconds, durations seconds.
"""

from typing import TypeVar

import msgspec

from shared.options import Level, VerdictOptions
from shared.steady_time import steady_time_of
from shared.verdict import Failure, Outcome, Verdict

WIRE_VERSION = 2


class TextItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One text; `id` is unique within the API process that sent it.

    `options_at` is the place of its options among those of the message, None where it has none. `flow` is a number of
    its caller: callers take turns in a worker. `is_suspect`: a worker died while it may have had the text.
    """

    id: int
    text: str
    options_at: int | None = None
    flow: int = 0
    is_suspect: bool = False


class PredictMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Many texts for one worker. After `deadline` no caller waits for the answer.

    `steady_deadline` is the same moment on the monotonic clock that is named `clock` (`shared.steady_time`).

    `request_ids` are those of the HTTP requests that the texts came with, each once, for the worker's log. `options` is
    what these requests set, each once: a message carries texts of several requests.
    """

    reply_to: str
    deadline: float
    items: list[TextItem]
    request_ids: list[str] = []
    options: list[VerdictOptions] = []
    steady_deadline: float = 0.0
    clock: str = ""
    version: int = WIRE_VERSION

    @property
    def deadline_here(self) -> float:
        """The deadline on this process's monotonic clock."""
        return steady_time_of(self.deadline, self.steady_deadline, self.clock)


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one text: a `verdict`, or else a `failure`.

    `is_cached` says that the model read it for another text, which is the same once normalised.
    """

    id: int
    verdict: Verdict | None = None
    failure: Failure | None = None
    tokenization_s: float = 0.0
    inference_s: float = 0.0
    is_cached: bool = False

    @property
    def outcome(self) -> Outcome:
        """Whichever it is."""
        if self.verdict is not None:
            return self.verdict
        return self.failure or Failure("internal_error", "the worker sent neither a verdict nor a failure")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the answers to one message; a message may be answered in several replies."""

    worker_id: str
    answers: list[Answer]
    version: int = WIRE_VERSION


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker serves.

    `levels` has the thresholds of each strictness, label -> score from which it counts; `strictness` is the level, and
    `thresholds` its thresholds, where a caller sets nothing. `notices` are what its conversion warned of.
    """

    name: str
    revision: str
    problem_type: str
    labels: list[str]
    clean_label: str | None
    strictness: Level
    thresholds: dict[str, float]
    levels: dict[str, dict[str, float]]
    max_length: int
    notices: list[str] = []


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the worker's start, and the speed of its recent batches (while computing, not while idle).

    `cost_per_s` is in the unit of `shared.cost`, over the larger ones of its recent batches: its speed under load.
    """

    texts: int = 0
    batches: int = 0
    failed_texts: int = 0
    tokens: int = 0
    padding_tokens: int = 0
    mean_batch_size: float = 0.0
    texts_per_s: float = 0.0
    cost_per_s: float = 0.0


class CascadeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Texts since the worker's start that the cascade answered, left to the model, or might not answer."""

    answered: int = 0
    unsure: int = 0
    exempt: int = 0


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's heartbeat, written only while its model threads live; `takes` is its WORKER_TAKES.

    `cascade` is None where it is off, or the model has none. `process_space` names what `pid` is an id of.
    """

    worker_id: str
    host: str
    pid: int
    started_at: float
    beat_at: float
    model: ModelInfo
    throughput: Throughput
    waiting_texts: int
    rss_bytes: int
    takes: str = "all"
    cascade: CascadeFigures | None = None
    process_space: str = ""
    version: int = WIRE_VERSION


Message = TypeVar("Message", PredictMessage, Reply, Heartbeat)


def encode(message: PredictMessage | Reply | Heartbeat) -> bytes:
    """UTF-8 JSON of one message."""
    return msgspec.json.encode(message)


def decode(raw: bytes | str, kind: type[Message]) -> Message:
    """Read one message.

    Raises:
        msgspec.DecodeError: it is not such a message, or of a version that this process does not speak.
    """
    message = msgspec.json.decode(raw, type=kind)
    if message.version != WIRE_VERSION:
        raise msgspec.ValidationError(f"wire version {message.version}, this process speaks {WIRE_VERSION}")
    return message
