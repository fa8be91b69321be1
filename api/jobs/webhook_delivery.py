"""Posts one webhook, within one deadline for all of it: name, connection, TLS, request and the head of the answer.

A receiver that sends a byte now and then cannot hold it up, as it could where each read has a time of its own. The body
of the answer is not read, and redirects are not followed. Loaded with the first webhook: most services send none.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import h11

from api.jobs.webhook_target import DeliveryError, WebhookTarget
from shared.errors import MalformedRequestError

MAX_HEAD_BYTES = 32 * 1024
_READ_BYTES = 8 * 1024
# Answers before the answer (103 Early Hints). Without end, they would keep the event loop busy until the deadline.
MAX_HINTS = 16
_OK = range(200, 300)


Reach = Callable[[str], AbstractAsyncContextManager[WebhookTarget]]


async def deliver(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float, reach: Reach) -> int:
    """Post `body`; returns the status of the answer. `reach` looks the address up, and holds it meanwhile.

    Raises:
        DeliveryError: it was not taken; says why.
    """
    try:
        async with asyncio.timeout(timeout_s), reach(url) as target:
            status = await _post(target, body, headers)
    except MalformedRequestError as error:
        raise DeliveryError("the address is no longer allowed, or leads nowhere") from error
    except TimeoutError as error:
        raise DeliveryError(f"no answer within {timeout_s:g} s (WEBHOOK_TIMEOUT_S)") from error
    except ssl.SSLError as error:
        raise DeliveryError(f"TLS failed: {getattr(error, 'verify_message', '') or error.reason or error}") from error
    except (OSError, h11.RemoteProtocolError, h11.LocalProtocolError) as error:
        raise DeliveryError(f"the connection failed ({type(error).__name__})") from error
    if status not in _OK:
        raise DeliveryError(f"the receiver answered with status {status}")
    return status


async def _post(target: WebhookTarget, body: bytes, headers: Mapping[str, str]) -> int:
    """Connect to the checked address; TLS verifies the host's name."""
    tls = ssl.create_default_context() if target.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        target.ip, target.port, ssl=tls, server_hostname=target.host if tls else None
    )
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        host = f"[{target.host}]" if ":" in target.host else target.host
        is_default = target.port == (443 if tls else 80)
        fields = {"Host": host if is_default else f"{host}:{target.port}", "Content-Length": str(len(body)), **headers}
        request = h11.Request(method="POST", target=target.path, headers=list(fields.items()))
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        await writer.drain()
        return await _status(connection, reader)
    finally:
        # Not close(), which would wait for TLS's farewell.
        writer.transport.abort()


async def _status(connection: h11.Connection, reader: asyncio.StreamReader) -> int:
    """The status of the answer; those before it (103 Early Hints) are passed over."""
    hints = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Response):
            return event.status_code
        elif isinstance(event, h11.InformationalResponse) and hints < MAX_HINTS:
            hints += 1
        else:
            raise h11.RemoteProtocolError("the receiver hung up, or gave no answer among many hints")
