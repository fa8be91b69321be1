"""Collects facts about the current request for its log line and the metrics. Never its text."""

from contextvars import ContextVar
from dataclasses import dataclass, field

from api.access.principal import Principal
from api.http.timing import Timing

_current: ContextVar["RequestRecord | None"] = ContextVar("request_record", default=None)


@dataclass
class RequestRecord:
    """Filled in by the routes and the error handlers while the request is served.

    `door` is whose API the request speaks: `kobert` for our own, else the name of a door.
    """

    door: str = "kobert"
    principal: Principal | None = None
    error_code: str | None = None
    classifications: list[str] = field(default_factory=list)
    text_errors: list[str] = field(default_factory=list)
    timing: Timing | None = None


def start_record() -> RequestRecord:
    """A fresh record for the request that this task serves."""
    record = RequestRecord()
    _current.set(record)
    return record


def current_record() -> RequestRecord:
    """The record of the request being served; outside a request, a new record."""
    return _current.get() or RequestRecord()
