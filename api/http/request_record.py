"""Collects facts about the current request for its log line and the metrics. Never its text."""

from contextvars import ContextVar

import msgspec

from api.access.principal import Principal
from api.http.timing import Timing

_current: ContextVar["RequestRecord | None"] = ContextVar("request_record", default=None)


class RequestRecord(msgspec.Struct):
    """Filled in by the routes and the error handlers while the request is served.

    `door` is whose API the request speaks: `kobert` for our own, else the name of a door.
    """

    door: str = "kobert"
    principal: Principal | None = None
    error_code: str | None = None
    classifications: list[str] = []
    text_errors: list[str] = []
    timing: Timing | None = None


def start_record() -> RequestRecord:
    """A fresh record for the request that this task serves."""
    record = RequestRecord()
    _current.set(record)
    return record


def current_record() -> RequestRecord:
    """The record of the request being served; outside a request, a new record."""
    return _current.get() or RequestRecord()
