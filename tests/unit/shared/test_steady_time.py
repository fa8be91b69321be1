"""Moments on a clock that nobody can set."""

import subprocess
import sys
import time

import pytest

from shared.steady_time import steady_clock, steady_time_of, unix_time_of

pytestmark = pytest.mark.integration

HOUR_S = 3600.0


def test_another_process_of_this_machine_has_the_same_clock() -> None:
    program = "import time; from shared.steady_time import steady_clock; print(steady_clock(), time.monotonic())"
    before = time.monotonic()
    name, moment = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    ).stdout.split()

    assert name == steady_clock() != ""
    assert before <= float(moment) <= time.monotonic()


def test_a_moment_of_the_same_clock_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = time.monotonic() + 5
    unix = unix_time_of(moment)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + HOUR_S)

    assert steady_time_of(unix, moment, steady_clock()) == moment


@pytest.mark.parametrize("clock", ["", "another machine"])
def test_between_machines_the_wall_clock_counts(clock: str) -> None:
    moment = time.monotonic() + 5

    assert steady_time_of(unix_time_of(moment), -1.0, clock) == pytest.approx(moment, abs=1)
