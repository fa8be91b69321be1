"""What the service answers, as objects. `raw` has every field as it came."""

from dataclasses import dataclass, field
from typing import Any

ENDED = frozenset(("completed", "failed", "expired", "cancelled"))


@dataclass(frozen=True)
class Prediction:
    """The verdict on one text; `spans`, `masked`, `matches` and the like are in `raw` if they were asked for."""

    text: str
    classification: str
    confidence: float
    scores: dict[str, float]
    labels: list[str]
    raw: dict[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Failure:
    """Why one of several texts has no verdict."""

    text: object
    code: str
    message: str


@dataclass(frozen=True)
class Job:
    """A bulk job as it stands."""

    id: str
    status: str
    total: int
    completed: int
    failed: int
    eta_seconds: int | None
    raw: dict[str, Any] = field(repr=False, compare=False)

    @property
    def done(self) -> int:
        """Rows that have an outcome."""
        return self.completed + self.failed

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED


def read_prediction(body: dict[str, Any]) -> Prediction | Failure:
    """One result of `/predict`."""
    if "error" in body:
        return Failure(body["text"], body["error"]["code"], body["error"]["message"])
    return Prediction(
        body["text"],
        body["classification"],
        body["confidence"],
        body["scores"],
        body["labels"],
        raw=body,
    )


def read_job(body: dict[str, Any]) -> Job:
    """A job object."""
    counts = body["request_counts"]
    return Job(
        body["id"],
        body["status"],
        counts["total"],
        counts["completed"],
        counts["failed"],
        body["eta_seconds"],
        raw=body,
    )
