"""How much work may be with the workers at a time. What exceeds it waits in the outbox, and leaves in larger messages.

A worker needs a few passes ahead so that it is never idle; more would only split the waiting texts into more messages,
each of which costs Redis and Celery as much as the model's work on a text. So texts that arrive while enough is in
flight leave together when answers come back. There is no timer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from api.queue.pending import Flight, PendingText

# Of a message with less than this share left, only that is counted. Its last texts are of an unusual length, and wait for
# others like them: if it held up the next message until then, a worker would run out of texts to choose from.
REST_SHARE = 0.3


@dataclass
class Credit:
    """Counts in the cost of texts.

    A message counts at least `least_per_message` until most of it is answered, since it costs work itself, and a text at
    most `most_per_text`: one very long text keeps one worker busy, not all of them. Messages with little in them may
    exceed the limit by `overdraft`; there are two of them at most of which most is unanswered.
    """

    limit: float
    least_per_message: float
    most_per_text: float
    overdraft: float = 0.0

    def __post_init__(self) -> None:
        self.used = 0.0
        self._flights: set[Flight] = set()

    @property
    def room(self) -> float:
        """What may still leave; a message may exceed it by its last text."""
        return self.limit - self.used

    @property
    def may_overdraw(self) -> bool:
        """Whether another message may exceed the limit."""
        return self.overdraft > 0 and self.room + self.overdraft > 0

    def charge(self, texts: Sequence[PendingText], now: float, *, is_overdraft: bool = False) -> None:
        """Count a message that leaves now."""
        least = self.overdraft / 2 if is_overdraft else self.least_per_message
        flight = Flight(sum(map(self._cost_of, texts)), len(texts), now, least)
        for text in texts:
            text.flight = flight
        self._flights.add(flight)
        self.used += self._charge_of(flight)

    def settle(self, text: PendingText, now: float) -> None:
        """Give back the charge of one text of a message: its answer is there, or its message did not leave."""
        flight, text.flight = text.flight, None
        if flight is None or flight not in self._flights:
            return
        self.used -= self._charge_of(flight)
        flight.cost_left -= self._cost_of(text)
        flight.texts_left -= 1
        flight.progress_at = now
        if flight.texts_left:
            self.used += self._charge_of(flight)
        else:
            self._flights.discard(flight)

    def counts(self, text: PendingText) -> bool:
        """Whether the charge of this text has not been given back."""
        return text.flight in self._flights

    def forget_all(self) -> None:
        """Give back everything."""
        self._flights.clear()
        self.used = 0.0

    def forget_stuck(self, since: float) -> bool:
        """Give back the charge of messages of which no answer has come since then; returns whether there were any."""
        stuck = [flight for flight in self._flights if flight.progress_at < since]
        for flight in stuck:
            self._flights.discard(flight)
            self.used -= self._charge_of(flight)
        return bool(stuck)

    def _cost_of(self, text: PendingText) -> float:
        return min(text.cost, self.most_per_text)

    @staticmethod
    def _charge_of(flight: Flight) -> float:
        if flight.cost_left <= REST_SHARE * flight.cost:
            return flight.cost_left
        return max(flight.cost_left, flight.least_cost)
