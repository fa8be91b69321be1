"""Who has the places in which webhooks are delivered: each receiver, address and key a part, and retries a part."""

import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network

from api.jobs.webhook_queue import Busy, DueWebhook

# Whoever has IPv6 has so many bits of addresses.
HOST_BITS_OF_IPV6 = 64
# A webhook whose address is busy waits at least as long. Many for one address are spread, so that looking their names
# up again costs little, but none waits longer than the last figure.
LEAST_WAIT_S, MOST_WAIT_S, LOOKED_UP_PER_S = 2.0, 60.0, 20.0


class AddressBusyError(Exception):
    """Raised when as many webhooks as may are on their way to this address; try again after `wait_s`."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"the address is busy; again in {wait_s} s")
        self.wait_s = wait_s


class WebhookPlaces:
    """Belongs to the event loop. Of `total` places one host, or one port of an address, has `per_host` at most."""

    def __init__(self, total: int, per_host: int) -> None:
        self._total = total
        self._per_host = per_host
        self._half = max(1, total // 2)
        self._taken = 0
        self._retries = 0
        self._receivers: Counter[str] = Counter()
        self._owners: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._next_turn_at = 0.0

    @property
    def is_full(self) -> bool:
        """Whether no place is left."""
        return self._taken >= self._total

    def busy(self, *, has_several_owners: bool) -> Busy:
        """Who gets no place now: receivers with their part, and of several keys and of retries whoever has half."""
        return Busy(
            receivers=[name for name, count in self._receivers.items() if count >= self._per_host],
            owners=[name for name, count in self._owners.items() if has_several_owners and count >= self._half],
            has_retries=self._retries >= self._half,
        )

    def take(self, due: DueWebhook) -> None:
        """Take a place for one attempt; give it back when that has ended."""
        self._count(due, 1)

    def give_back(self, due: DueWebhook) -> None:
        """End what `take` began."""
        self._count(due, -1)

    @contextmanager
    def address(self, owner: str, ip: str, port: int) -> Iterator[None]:
        """A place for one delivery of this key to an address; names do not count, as one DNS entry can have any number.

        Counted for each key, since many receivers share the addresses of a CDN: a slow one of somebody else's holds
        none of this key's up. All ports of an address together have half of the places.

        Raises:
            AddressBusyError: the key has its part.
        """
        address = f"{owner} {_network(ip)}"
        limits = {f"{address} {port}": self._per_host, address: self._half}
        if any(self._addresses[name] >= most for name, most in limits.items()):
            raise AddressBusyError(self._wait_s())
        for name in limits:
            _add(self._addresses, name, 1)
        try:
            yield
        finally:
            for name in limits:
                _add(self._addresses, name, -1)

    def _count(self, due: DueWebhook, change: int) -> None:
        self._taken += change
        _add(self._receivers, due.receiver, change)
        _add(self._owners, due.owner, change)
        if due.attempt > 1:
            self._retries += change

    def _wait_s(self) -> int:
        now = time.monotonic()
        self._next_turn_at = max(now + LEAST_WAIT_S, self._next_turn_at + 1 / LOOKED_UP_PER_S)
        wait_s = self._next_turn_at - now
        return int(min(wait_s, MOST_WAIT_S)) + secrets.randbelow(2)


def _network(ip: str) -> str:
    address = ip_address(ip)
    if address.version == 4:
        return ip
    embedded = address.ipv4_mapped
    prefix = address.max_prefixlen - HOST_BITS_OF_IPV6
    return str(embedded or ip_network((int(address), prefix), strict=False))


def _add(counter: Counter[str], name: str, change: int) -> None:
    counter[name] += change
    if not counter[name]:
        del counter[name]
