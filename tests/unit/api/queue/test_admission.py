"""Who is let in: by the cost of texts, by caller, and by the speed that was seen."""

import time

import pytest

from api.queue import admission
from api.queue.admission import Admission
from shared.cost import cost_of
from shared.errors import OverloadedError, TooLargeError
from shared.settings import Settings


class Fleet:
    """Workers of a speed that the test sets."""

    cost_per_s = 1000.0


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def counted(fleet: Fleet) -> Admission:
    return Admission(Settings(predict_timeout_s=10, max_inflight_texts=100), fleet)


def test_what_takes_longer_than_callers_wait_is_refused_though_nothing_is_pending(counted: Admission) -> None:
    counted.accept("a", cost=10_000, texts=20)
    counted.release("a", 10_000, 20)
    with pytest.raises(TooLargeError, match="about 11 s"):
        counted.accept("a", cost=10_001, texts=20)
    assert counted.texts == 0


def test_a_long_text_counts_as_what_it_costs(counted: Admission) -> None:
    counted.accept("a", cost=cost_of("x" * 6_000), texts=1)
    with pytest.raises(OverloadedError):
        counted.accept("a", cost=cost_of("x" * 6_000), texts=1)
    counted.accept("a", cost=cost_of("x"), texts=1)


def test_whatever_one_caller_sends_there_is_room_for_the_next(counted: Admission) -> None:
    def fill(caller: str) -> int:
        accepted = 0
        try:
            while True:
                counted.accept(caller, cost=20, texts=1)
                accepted += 1
        except OverloadedError:
            return accepted

    shares = [fill(caller) for caller in "abc"]

    assert shares[0] == 80
    assert all(shares)
    counted.release("a", 20 * shares[0], shares[0])
    assert fill("e") > shares[1]


def test_where_no_worker_tells_its_speed_nobody_is_called_the_cause(counted: Admission, fleet: Fleet) -> None:
    """As while all workers are restarted: whoever asks must hear that there is none, not that much is in flight."""
    counted.accept("a", cost=20, texts=1)
    fleet.cost_per_s = 0.0

    counted.require_room("a")
    counted.accept("a", cost=20, texts=79)

    with pytest.raises(OverloadedError):
        counted.require_room("a")


def test_an_answered_text_makes_room(counted: Admission) -> None:
    counted.accept("a", cost=20, texts=80)
    with pytest.raises(OverloadedError):
        counted.require_room("a")
    counted.release("a", 5, 20)
    counted.require_room("a")


def test_while_texts_wait_the_speed_that_was_seen_counts(counted: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MEASURE_S", 0.0)
    assert counted.speed == 1000
    counted.note_answers(1, is_backlogged=True)
    time.sleep(0.01)
    counted.note_answers(1, is_backlogged=True)
    assert counted.speed == 100

    counted.note_answers(1, is_backlogged=False)
    assert counted.speed == 1000


def test_a_refusal_tells_how_long_the_excess_takes(counted: Admission) -> None:
    counted.accept("a", cost=6_400, texts=10)
    with pytest.raises(OverloadedError) as caught:
        counted.accept("a", cost=2_000, texts=1)
    assert caught.value.retry_after_s == 2
