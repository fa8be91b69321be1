"""Connections that wait are taken in crowds."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from api.http.accepting import AT_ONCE, Accepting
from api.http.traffic import CROWD, Traffic, traffic_limits
from api.http.turns import PER_ROUND, Turns, Waiting
from shared.settings import Settings

MANY, LONE = "127.0.0.1", "127.0.0.2"


class Quiet:
    """A connection of which nothing is known."""

    def check(self, _now: float, _elapsed_s: float) -> None:
        pass

    def abort(self) -> None:
        pass


@dataclass
class Crowd:
    """Clients that wait to be taken, and who of them has a protocol, by address and in that order."""

    accepting: Accepting
    served: list[str]

    async def see(self, count: int) -> list[str]:
        """The first of those that got a protocol, once there are so many."""
        while len(self.served) < count:
            await asyncio.sleep(0.001)
        return self.served[:count]


@contextmanager
def crowd(*addresses: str, turns: Turns | None = None, max_waiting: int = 1_000) -> Iterator[Crowd]:
    """Connections from these addresses, none of which is taken yet."""
    served: list[str] = []

    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(len(addresses))
        place = listener.getsockname()
        for address in addresses:
            stack.enter_context(socket.create_connection(place, source_address=(address, 0)))

        class Taken(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                served.append(transport.get_extra_info("peername")[0])
                stack.callback(transport.close)

        accepting = Accepting([listener], Taken, turns or Turns(), max_waiting)
        stack.callback(accepting.close)
        yield Crowd(accepting, served)


async def test_all_that_wait_are_taken_at_once_up_to_a_limit() -> None:
    with crowd(*[MANY] * (AT_ONCE + 3)) as waiting:
        assert waiting.accepting.take_waiting()
        await waiting.see(AT_ONCE)
        assert not waiting.accepting.take_waiting()
        await waiting.see(AT_ONCE + 3)


async def test_one_address_waits_for_no_crowd_of_another() -> None:
    with crowd(*[MANY] * 100, LONE) as waiting:
        waiting.accepting.take_waiting()
        assert LONE in await waiting.see(PER_ROUND + 1)
        assert len(await waiting.see(101)) == 101


async def test_so_many_wait_and_further_ones_do_not() -> None:
    class TurnThatNeverComes(Turns):
        def must_wait(self, address: str, connection: Waiting, byte_count: int) -> bool:
            return True

    with crowd(*[MANY] * 15, turns=TurnThatNeverComes(), max_waiting=10) as waiting:
        waiting.accepting.take_waiting()
        await waiting.see(5)
        await asyncio.sleep(0.01)
        assert len(waiting.served) == 5


async def test_a_server_that_ends_serves_all_that_wait() -> None:
    with crowd(*[MANY] * (AT_ONCE + 3)) as waiting:
        waiting.accepting.take_waiting()
        await waiting.accepting.take_last()
        assert len(waiting.served) == AT_ONCE + 3
        await asyncio.sleep(0.01)
        assert len(waiting.served) == AT_ONCE + 3


async def test_a_crowd_is_as_many_new_connections_in_one_round_as_the_event_loop_takes() -> None:
    traffic = Traffic(traffic_limits(Settings()))
    crowds: list[int] = []
    traffic.on_crowd = lambda: crowds.append(len(traffic))
    for _ in range(CROWD - 1):
        traffic.opened(Quiet())
    await asyncio.sleep(0)
    assert crowds == []
    for _ in range(CROWD):
        traffic.opened(Quiet())
    await asyncio.sleep(0)
    assert crowds == [2 * CROWD - 1]
    await asyncio.sleep(0)
    assert len(crowds) == 1
