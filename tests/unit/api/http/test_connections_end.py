"""A connection that ends is gone at once: memory that waits for a collection piles up under an attack, and stays."""

import asyncio
import gc
import socket
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from uvicorn.config import Config
from uvicorn.server import ServerState

from api.http import errors
from api.http.bodies import BodyFaultsMiddleware
from api.http.body import read_json_object
from api.http.direct_protocol import DirectProtocol, bounded_protocol
from api.http.doorstep import doorstep_of
from api.http.refusals import HeadLimits
from api.http.traffic import Traffic, traffic_limits
from shared.settings import Settings
from tests.support.connections import NothingDirect
from tests.support.happens import happens

MAX_BODY_BYTES = 8 << 20
HEAD = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n"
CONNECTIONS = 10


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def app_that_reads() -> FastAPI:
    app = FastAPI()
    errors.install(app)
    app.add_middleware(BodyFaultsMiddleware, require_valid=lambda _owner: None)

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, int]:
        return {"fields": len(await read_json_object(request, MAX_BODY_BYTES))}

    return app


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="idle"),
        pytest.param(b"GET / HTTP/1.1\r\nX: ", id="half a head"),
        pytest.param(HEAD + b" ", id="a body that does not come"),
        pytest.param(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" * 3, id="answered, one after the other"),
    ],
)
async def test_a_connection_that_ends_is_not_kept_for_the_collector(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(app_that_reads(), timeout_keep_alive=60, access_log=False)
    config.load()
    traffic = Traffic(traffic_limits(Settings()))
    protocol_class = bounded_protocol(HeadLimits(8_000, 50), traffic, NothingDirect())
    doorstep_class = doorstep_of(protocol_class)
    state = ServerState()
    made: list[weakref.ref[object]] = []
    begin = protocol_class.__init__

    def begin_noted(protocol: DirectProtocol, *arguments: Any) -> None:
        made.append(weakref.ref(protocol))
        begin(protocol, *arguments)

    monkeypatch.setattr(protocol_class, "__init__", begin_noted)
    server = await asyncio.get_running_loop().create_server(lambda: doorstep_class(config, state, {}), "127.0.0.1", 0)
    clients = [socket.create_connection(server.sockets[0].getsockname()) for _ in range(CONNECTIONS)]
    for client in clients:
        client.sendall(sent)
    await happens(lambda: (len(traffic), len(made)) == (CONNECTIONS, CONNECTIONS if sent else 0))
    await asyncio.sleep(0.1)  # what was sent has been read, too

    for client in clients:
        client.close()
    await happens(lambda: (len(traffic), len(state.connections)) == (0, 0))
    await happens(lambda: not any(reference() is not None for reference in made))

    assert [reference() for reference in made if reference() is not None] == []
    assert (len(traffic), len(state.connections)) == (0, 0)
    server.close()
