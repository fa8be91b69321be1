"""What attackers send with: raw connections, which keep no rule of HTTP that they do not want to keep."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

ATTACKER, VICTIMS = "127.0.0.1", ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
RECEIVE_BYTES = 65_536


class Target(NamedTuple):
    """The service, and until when to attack it."""

    host: str
    port: int
    until: float

    @property
    def is_on(self) -> bool:
        return time.monotonic() < self.until

    def connect(self, timeout_s: float = 30.0) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout_s, (ATTACKER, 0))

    def send(self, pieces: Iterable[bytes]) -> int:
        """Send a request on a connection of its own; returns the status of the answer, 0 if there is none."""
        with contextlib.suppress(OSError, ValueError, IndexError), self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    connection.sendall(piece)
            answer = connection.recv(RECEIVE_BYTES)
            status = int(answer.split(b" ", 2)[1])
            while self.is_on and connection.recv(RECEIVE_BYTES):
                continue
            return status
        return 0

    def post(self, path: str, body: bytes, content_type: str = "application/json", *more: str) -> int:
        return self.send([request(path, body, content_type, *more)])

    def start_job(self, rows: int) -> str:
        """The id of a job of so many rows, once it is accepted."""
        return self.start_job_of(b"text\n" + "배송이 정말 빨랐어요\n".encode() * rows)

    def start_job_of(self, csv: bytes) -> str:
        """The id of a job of a file, once it is accepted."""
        while self.is_on:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return str(self.ask(request("/jobs", csv, "text/csv"))["id"])
            time.sleep(0.5)
        raise TimeoutError("no job was accepted while the attack lasted")

    def ask(self, content: bytes) -> dict[str, Any]:
        """Send a request that ends its connection; returns the JSON of the answer."""
        with self.connect() as connection:
            connection.sendall(content)
            answer = b""
            while piece := connection.recv(RECEIVE_BYTES):
                answer += piece
        found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
        return found

    def delete_job(self, job: str) -> None:
        """Remove it, so that the next attack finds the service idle."""
        with contextlib.suppress(OSError), self.connect() as connection:
            connection.sendall(f"DELETE /jobs/{job} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            connection.recv(RECEIVE_BYTES)

    def repeat(self, attack: Callable[[], object], threads: int = 1) -> None:
        """Do it again and again, from several threads."""

        def work() -> None:
            while self.is_on:
                with contextlib.suppress(OSError):
                    attack()
                time.sleep(0.01)

        running = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join(max(0.0, self.until - time.monotonic()) + 1)

    def hold(self, count: int, first: bytes, then: bytes = b"", every_s: float = 1.0) -> None:
        """Keep `count` connections open that have sent `first`, and go on with `then`; open again what was closed."""
        open_now: list[socket.socket] = []
        while self.is_on:
            open_now = [connection for connection in open_now if self._goes_on(connection, then)]
            while len(open_now) < count and self.is_on:
                try:
                    connection = self.connect(1.0)
                except OSError:
                    break
                with contextlib.suppress(OSError):
                    connection.sendall(first)
                    open_now.append(connection)
            time.sleep(every_s)
        for connection in open_now:
            connection.close()

    @staticmethod
    def _goes_on(connection: socket.socket, then: bytes) -> bool:
        try:
            connection.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                if not connection.recv(1, socket.MSG_PEEK):
                    raise ConnectionResetError
            with contextlib.suppress(BlockingIOError):
                connection.send(then)
        except OSError:
            connection.close()
            return False
        return True


def request(path: str, body: bytes, content_type: str = "application/json", *more: str) -> bytes:
    """A whole request, on a connection that ends with it."""
    return head(path, len(body), content_type, "Connection: close", *more) + body


def head(path: str, length: int, content_type: str = "application/json", *more: str) -> bytes:
    """The head of a POST."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {content_type}",
        f"Content-Length: {length}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def get(path: str, *more: str) -> bytes:
    """A GET."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *more, "", ""]).encode()
