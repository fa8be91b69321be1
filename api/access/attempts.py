"""Slows down whoever guesses keys: an address that has sent too many wrong ones must wait.

Counted by each API process for itself, in bounded memory. IPv6 is counted by /64, which is what one customer gets.
"""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_ADDRESSES = 10_000
_MINUTE_S = 60.0


class FailedAttempts:
    """A token bucket per address: `per_minute` wrong keys at once, and as many a minute after that."""

    def __init__(self, per_minute: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._now = now
        # Address -> the moment at which its bucket is full again; oldest attempt first.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Seconds until the address may try again; 0 if it may now."""
        full_at = self._full_at.get(_network(address))
        if full_at is None:
            return 0
        step_s = _MINUTE_S / self._per_minute
        return max(0, math.ceil(full_at - self._now() - _MINUTE_S + step_s))

    def note_failure(self, address: str) -> None:
        """Count one wrong key."""
        network = _network(address)
        now = self._now()
        self._full_at[network] = max(now, self._full_at.pop(network, now)) + _MINUTE_S / self._per_minute
        if len(self._full_at) > MAX_ADDRESSES:
            self._full_at.popitem(last=False)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
