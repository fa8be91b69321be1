"""The client's logic without input or output: each operation is a generator of steps that a client performs.

So nothing is written twice. A step is a request to send, whose response comes back, or a time to wait.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from kobert_client.errors import ApiError, UnreachableError

T = TypeVar("T")
RETRIED = frozenset((408, 429, 502, 503, 504))
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0


@dataclass(frozen=True)
class Send:
    """A request; the body is JSON, or else a file that is read while it is sent."""

    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    file: Path | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """A pause in seconds."""

    seconds: float


# A request yields a response, or the error of the connection.
Step = Send | Wait
Answer = httpx.Response | httpx.TransportError | None
Steps = Generator[Step, Answer, T]


def ask(request: Send, max_retries: int) -> Steps[Any]:
    """Send a request until it is answered; returns the JSON of its reply, or its text.

    Raises:
        ApiError: the service refuses.
        UnreachableError: it could not be reached after `max_retries` more attempts.
    """
    for attempt in range(max_retries + 1):
        answer = yield request
        is_last = attempt == max_retries
        if isinstance(answer, httpx.Response) and (is_last or answer.status_code not in RETRIED):
            return _read(answer)
        if is_last:
            raise UnreachableError(f"no answer after {attempt + 1} attempts: {answer}")
        yield Wait(delay_s(answer, attempt))
    raise AssertionError("the last attempt returns or raises")


def delay_s(answer: Answer, attempt: int) -> float:
    """How long to wait before the next attempt: as the service says, else longer each time."""
    said = answer.headers.get("retry-after", "") if isinstance(answer, httpx.Response) else ""
    wanted = float(said) if said.isdecimal() else FIRST_DELAY_S * 2**attempt
    return min(wanted, LONGEST_DELAY_S)


def _read(response: httpx.Response) -> Any:  # noqa: ANN401  JSON
    is_json = "json" in response.headers.get("content-type", "") and "jsonl" not in response.headers["content-type"]
    body = response.json() if is_json else response.text
    if response.is_success:
        return body
    error = body["error"] if isinstance(body, dict) and isinstance(body.get("error"), dict) else {}
    raise ApiError(
        response.status_code,
        error.get("code", "unknown"),
        error.get("message", response.text[:200] or response.reason_phrase),
        error.get("param"),
        error.get("request_id"),
    )
