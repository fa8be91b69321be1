"""A real Valkey behind TLS with a certificate that nobody trusts, for what a client says about it."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.valkey import running_valkey

# Self-signed for localhost and 127.0.0.1, valid for a hundred years; its key protects nothing.
CERTIFICATE = Path(__file__).resolve().parents[1] / "data" / "self-signed.pem"


@contextlib.contextmanager
def tls_valkey(host: str = "127.0.0.1") -> Iterator[int]:
    """The port at `host` where TLS is taken off and a Valkey of its own answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with running_valkey() as url, socket.create_server((host, 0)) as listener:
        server = (listener, context, urlsplit(url).path)
        threading.Thread(target=_serve, args=server, daemon=True).start()
        yield int(listener.getsockname()[1])
        # Wakes the thread out of accept(), which closing alone does not.
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, context: ssl.SSLContext, store: str) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, context, store), daemon=True).start()


def _answer(connection: socket.socket, context: ssl.SSLContext, store: str) -> None:
    with (
        connection,
        contextlib.suppress(OSError),
        context.wrap_socket(connection, server_side=True) as client,
        socket.socket(socket.AF_UNIX) as server,
    ):
        server.connect(store)
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        server.shutdown(socket.SHUT_RDWR)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
