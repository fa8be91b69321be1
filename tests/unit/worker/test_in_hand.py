from collections.abc import Callable

import pytest

from worker.in_hand import NOTE_AFTER_S, InHand


class Message:
    def __init__(self) -> None:
        self.times_noted = 0

    def note(self) -> None:
        self.times_noted += 1


class Clock:
    """Time that passes when it is told to, with what is to be called then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        self.calls.append((self.now + delay_s, action))

    def go_on(self, seconds: float) -> None:
        self.now += seconds
        due = [call for call in self.calls if call[0] <= self.now]
        self.calls = [call for call in self.calls if call[0] > self.now]
        for _, action in due:
            action()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("worker.in_hand.time.monotonic", lambda: clock.now)
    return clock


def test_a_message_is_noted_once_it_has_been_in_hand_for_a_while(clock: Clock) -> None:
    message, in_hand = Message(), InHand(clock.call_later)
    in_hand.add(message)
    assert message.times_noted == 0

    for _ in range(5):
        clock.go_on(NOTE_AFTER_S)

    assert message.times_noted == 1
    assert clock.calls == []


def test_a_message_that_ends_at_once_is_not_noted(clock: Clock) -> None:
    message, in_hand = Message(), InHand(clock.call_later)
    in_hand.add(message)
    in_hand.remove(message)
    in_hand.remove(message)

    clock.go_on(NOTE_AFTER_S)

    assert message.times_noted == 0
    assert clock.calls == []


def test_messages_that_come_one_after_the_other_are_looked_at_together(clock: Clock) -> None:
    messages, in_hand = [Message() for _ in range(20)], InHand(clock.call_later)
    for message in messages:
        in_hand.add(message)
        clock.go_on(NOTE_AFTER_S / 10)
        assert len(clock.calls) <= 1

    clock.go_on(NOTE_AFTER_S)
    clock.go_on(NOTE_AFTER_S)
    assert [message.times_noted for message in messages] == [1] * 20
