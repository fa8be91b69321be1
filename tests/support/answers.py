"""An HTTP server that answers as it is told and keeps what it was asked, for what a client puts on the wire."""

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[Asked], Reply]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hangs up once it has its answer: commands under test share our stderr."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class AnsweringServer:
    """`asked` are the requests so far."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[Asked] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, self._body(headers))
                server.asked.append(request)
                reply = answer(request)
                raw = reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(raw)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            do_POST = do_DELETE = do_GET  # noqa: N815  names that the library looks for

            def _body(self, headers: dict[str, str]) -> bytes:
                if headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(headers.get("content-length", 0)))
                pieces = []
                while size := int(self.rfile.readline(), 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator["AnsweringServer"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def refusal(status: int, message: str, param: str | None = None, code: str = "invalid_request") -> Reply:
    return Reply(status, {"error": {"code": code, "message": message, "type": "x", "param": param}})


def job(**fields: Any) -> dict[str, Any]:
    """A job object that has ended."""
    counts = {"total": 2, "completed": 2, "failed": 0}
    times = {"created_at": 1_764_000_000}
    return {"id": "job_1", "status": "completed", "request_counts": counts, "label_counts": {"clean": 2},
            "eta_seconds": None, "file_name": "a.csv", **times, **fields}  # fmt: skip
