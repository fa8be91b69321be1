"""Connections that wait are taken in crowds."""

import asyncio
import socket

from api.http.accepting import AT_ONCE, Accepting
from api.http.traffic import CROWD, Traffic, traffic_limits
from shared.settings import Settings


class Taken(asyncio.Protocol):
    """Counts connections."""

    count = 0

    def connection_made(self, _transport: asyncio.BaseTransport) -> None:
        Taken.count += 1


class Quiet:
    """A connection of which nothing is known."""

    def check(self, _now: float, _elapsed_s: float) -> None:
        pass

    def abort(self) -> None:
        pass


async def test_all_that_wait_are_taken_at_once_up_to_a_limit() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2 * AT_ONCE)
        clients = [socket.create_connection(listener.getsockname()) for _ in range(AT_ONCE + 3)]
        accepting = Accepting([listener], Taken)
        Taken.count = 0

        accepting.take_waiting()
        while Taken.count < AT_ONCE:
            await asyncio.sleep(0.01)
        assert Taken.count == AT_ONCE
        accepting.take_waiting()
        while Taken.count < AT_ONCE + 3:
            await asyncio.sleep(0.01)
        accepting.close()
        for client in clients:
            client.close()


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
