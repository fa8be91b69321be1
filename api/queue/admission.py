"""Decides whether the workers can answer one more request in time: at once, by the backlog and the measured speed.

Load is counted in the cost of texts (`shared.cost`) and in their number, for each caller. A caller may have at most
`CALLER_SHARE` of what the others leave free (a dynamic threshold, as switches share their buffers: Choudhury and Hahne,
1998), so that there is room for the next caller whatever one sends.
"""

import math
import time
from dataclasses import dataclass
from typing import Protocol

from shared.cost import BASE_COST
from shared.errors import OverloadedError, TooLargeError
from shared.settings import Settings

# Of the time that a caller waits, how much may be spent in the backlog.
BACKLOG_SHARE = 0.8
CALLER_SHARE = 0.8
# The speed under load is measured over at least this time, and is at least this share of what the workers say.
MEASURE_S = 1.0
LEAST_SPEED_SHARE = 0.1


class Speed(Protocol):
    """How fast the live workers are together."""

    @property
    def cost_per_s(self) -> float:
        """Cost of texts per second while they compute; 0 if it is not known."""


@dataclass(slots=True)
class _Load:
    """Accepted and not yet answered."""

    cost: float = 0.0
    texts: int = 0

    def add(self, cost: float, texts: int) -> None:
        self.cost += cost
        self.texts += texts


class _Measured:
    """Speed while texts wait: what the service does under load, which is less than its workers compute."""

    def __init__(self) -> None:
        self.speed: float | None = None
        self._since: float | None = None
        self._cost = 0.0

    def note(self, cost: float, now: float) -> None:
        """Answers came, and texts wait."""
        if self._since is None:
            self._since = now
            return
        self._cost += cost
        if now - self._since >= MEASURE_S:
            self.speed = self._cost / (now - self._since)
            self._since, self._cost = now, 0.0

    def reset(self) -> None:
        """No text waits."""
        self.speed, self._since, self._cost = None, None, 0.0


class Admission:
    """Not thread-safe; one per API process."""

    def __init__(self, settings: Settings, fleet: Speed) -> None:
        self._fleet = fleet
        self._timeout_s = settings.predict_timeout_s
        self._max_texts = settings.max_inflight_texts
        self._total = _Load()
        self._by_caller: dict[str, _Load] = {}
        self._measured = _Measured()
        self._nothing = _Load()

    @property
    def texts(self) -> int:
        """Texts accepted and not yet answered."""
        return self._total.texts

    @property
    def speed(self) -> float:
        """Cost per second, as measured while texts wait, else as the workers say; 0 if nobody knows."""
        said = self._fleet.cost_per_s
        seen = self._measured.speed
        return said if seen is None else min(said, max(seen, LEAST_SPEED_SHARE * said))

    def accept(self, caller: str, cost: float, texts: int) -> None:
        """Count a request.

        Raises:
            TooLargeError: it alone takes longer than callers wait.
            OverloadedError: it could not be answered in time, or the caller has too much in flight.
        """
        speed = self._fleet.cost_per_s
        if cost > speed * self._timeout_s > 0:
            raise TooLargeError(
                f"these {texts:,} texts take the workers about {math.ceil(cost / speed):,} s, and a request at most "
                f"{self._timeout_s:g} s (PREDICT_TIMEOUT_S). Send them in parts, or as a job (POST /jobs)",
                param="texts",
            )
        self._check_room(caller, cost, texts)
        self._total.add(cost, texts)
        self._by_caller.setdefault(caller, _Load()).add(cost, texts)

    def require_room(self, caller: str) -> None:
        """Check that a very short text of this caller would be accepted; before its request is read.

        Raises:
            OverloadedError: it would not.
        """
        self._check_room(caller, BASE_COST, 1)

    def release(self, caller: str, cost: float, texts: int) -> None:
        """Texts that have been answered, or that nobody waits for any more."""
        if not texts:
            return
        self._total.add(-cost, -texts)
        own = self._by_caller.get(caller)
        if own is not None:
            own.add(-cost, -texts)
            if own.texts <= 0:
                del self._by_caller[caller]

    def note_answers(self, cost: float, *, is_backlogged: bool) -> None:
        """Answers have come; `is_backlogged` says whether texts wait to be sent."""
        if is_backlogged:
            self._measured.note(cost, time.monotonic())
        else:
            self._measured.reset()

    def _check_room(self, caller: str, cost: float, texts: int) -> None:
        total = self._total
        if not total.texts:
            return
        own = self._by_caller.get(caller, self._nothing)
        speed = self.speed
        limit = speed * self._timeout_s * BACKLOG_SHARE
        excess_texts = own.texts + texts - CALLER_SHARE * (self._max_texts - total.texts + own.texts)
        # Where no worker has told its speed, perhaps since there is none, only the number counts.
        excess_cost = own.cost + cost - CALLER_SHARE * (limit - total.cost + own.cost) if speed else 0.0
        if excess_texts > 0 or excess_cost > 0:
            excess = max(excess_cost, excess_texts * total.cost / total.texts)
            retry_after_s = self._seconds_for(excess * max(1, len(self._by_caller)), speed)
            raise OverloadedError(
                f"{total.texts:,} texts are already in flight, {own.texts:,} of them yours; "
                f"try again in {retry_after_s} s",
                retry_after_s=retry_after_s,
            )

    def _seconds_for(self, cost: float, speed: float) -> int:
        """How long the workers take for so much, in whole seconds; as long as a caller may wait at most."""
        longest_s = math.ceil(self._timeout_s)
        return longest_s if speed * longest_s <= cost else max(1, math.ceil(cost / speed))
