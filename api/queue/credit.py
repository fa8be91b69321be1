"""How much work may be with the workers at a time. What exceeds it waits in the outbox, and leaves in larger messages.

A worker needs a few passes ahead so that it is never idle; more would only split the waiting texts into more messages,
each of which costs Redis and Celery as much as the model's work on a text. So texts that arrive while enough is in
flight leave together when answers come back. There is no timer.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from api.queue.pending import Flight, PendingText

# Of a message with less than this share left, only that is counted. Its last texts are of unusual lengths, and wait for
# others like them: if they held up the next message until then, a worker would run out of texts to choose from.
REST_SHARE = 0.3


@dataclass
class Credit:
    """Counts in the cost of texts.

    A message counts at least `least_per_message` until most of it is answered, since it costs work itself, and a text
    at most `most_per_text`: one very long text keeps one worker busy, not all of them. Messages with little in them may
    exceed the limit by `overdraft`; there are two of them at most of which most is unanswered.
    """

    limit: float
    least_per_message: float
    most_per_text: float
    overdraft: float = 0.0

    def __post_init__(self) -> None:
        self.used = 0.0
        self._flights: set[Flight] = set()
        self._away = 0
        self._away_of: dict[str, int] = {}

    @property
    def room(self) -> float:
        """What may still leave; a message may exceed it by its last text."""
        return self.limit - self.used

    @property
    def may_overdraw(self) -> bool:
        """Whether another message may exceed the limit."""
        return self.overdraft > 0 and self.room + self.overdraft > 0

    @property
    def is_mostly_of_one(self) -> bool:
        """Whether more than half of the texts away are one caller's."""
        return 2 * max(self._away_of.values(), default=0) > self._away

    def has_less_than_others(self, caller: str) -> bool:
        """Whether fewer texts of this caller are away than if all who have some, and one more, had equally many."""
        return self._away_of.get(caller, 0) * (len(self._away_of) + 1) <= self._away

    def charge(self, texts: Sequence[PendingText], now: float, *, is_overdraft: bool = False) -> None:
        """Count a message that leaves now."""
        least = self.overdraft / 2 if is_overdraft else self.least_per_message
        by_caller = dict(Counter(text.request.caller.name for text in texts))
        flight = Flight(sum(map(self._cost_of, texts)), by_caller, now, least)
        for text in texts:
            text.flight = flight
        for caller, count in by_caller.items():
            self._count_away(caller, count)
        self._flights.add(flight)
        self.used += self._charge_of(flight)

    def settle(self, text: PendingText, now: float) -> None:
        """Give back the charge of one text of a message: its answer is there, or its message did not leave."""
        flight, text.flight = text.flight, None
        if flight is None or flight not in self._flights:
            return
        self.used -= self._charge_of(flight)
        flight.cost_left -= self._cost_of(text)
        flight.progress_at = now
        caller = text.request.caller.name
        _add(flight.by_caller, caller, -1)
        self._count_away(caller, -1)
        if flight.by_caller:
            self.used += self._charge_of(flight)
        else:
            self._flights.discard(flight)

    def counts(self, text: PendingText) -> bool:
        """Whether the charge of this text has not been given back."""
        return text.flight in self._flights

    def forget_all(self) -> None:
        """Give back everything."""
        self._flights.clear()
        self._away_of.clear()
        self._away = 0
        self.used = 0.0

    def forget_stuck(self, since: float) -> bool:
        """Give back the charge of messages of which no answer has come since then; returns whether there were any."""
        stuck = [flight for flight in self._flights if flight.progress_at < since]
        for flight in stuck:
            self._flights.discard(flight)
            self.used -= self._charge_of(flight)
            for caller, count in flight.by_caller.items():
                self._count_away(caller, -count)
        return bool(stuck)

    def _count_away(self, caller: str, count: int) -> None:
        self._away += count
        _add(self._away_of, caller, count)

    def _cost_of(self, text: PendingText) -> float:
        return min(text.cost, self.most_per_text)

    @staticmethod
    def _charge_of(flight: Flight) -> float:
        if flight.cost_left <= REST_SHARE * flight.cost:
            return flight.cost_left
        return max(flight.cost_left, flight.least_cost)


def _add(counts: dict[str, int], name: str, count: int) -> None:
    """Change a count; a name that has none is forgotten."""
    left = counts.get(name, 0) + count
    if left:
        counts[name] = left
    else:
        del counts[name]
