"""A flood of requests that fail writes a bounded number of log lines, and says how many it left out."""

import logging
import time

import pytest
import structlog.testing

from api.http.request_record import RequestRecord
from api.metrics.counters import ApiMetrics
from api.metrics.log_limit import LINES_PER_S, FewWarnings
from api.metrics.observation import Observer

FLOOD = 3 * LINES_PER_S


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("code", [401, 404, 422, 429, 499, 503])
def test_of_requests_that_fail_the_first_of_each_second_are_logged_and_the_rest_counted(
    clock: list[float], code: int
) -> None:
    observer = Observer(ApiMetrics())
    with structlog.testing.capture_logs() as lines:
        for _ in range(FLOOD):
            observer.note("POST", "/predict", code, 0.001, RequestRecord())
        clock[0] += 1
        observer.note("POST", "/predict", code, 0.001, RequestRecord())

    assert len(lines) == LINES_PER_S + 1
    assert lines[-1]["not_logged"] == FLOOD - LINES_PER_S
    assert all("not_logged" not in line for line in lines[:-1])


def test_every_request_that_was_answered_is_logged(clock: list[float]) -> None:
    observer = Observer(ApiMetrics())
    with structlog.testing.capture_logs() as lines:
        for _ in range(FLOOD):
            observer.note("POST", "/predict", 200, 0.001, RequestRecord())
    assert len(lines) == FLOOD


def test_a_librarys_warnings_are_bounded_and_its_errors_are_not(clock: list[float]) -> None:
    few = FewWarnings()
    records = [logging.LogRecord("a", level, "", 0, "", None, None) for level in (logging.WARNING, logging.ERROR)]
    warnings, errors = ([record for _ in range(FLOOD) if few.filter(record)] for record in records)
    assert (len(warnings), len(errors)) == (LINES_PER_S, FLOOD)
