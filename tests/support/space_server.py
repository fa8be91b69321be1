"""As much of the Hugging Face Hub as creating a Space and pushing to it needs, over HTTP, on a free port."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

_SPACE_API = re.compile(r"/api/spaces/(?P<repo>[^/]+/[^/]+)/(?P<what>variables|preupload/main|commit/main|tree/main)")


@dataclass
class Space:
    """What was pushed: files by path, variables by name, and how it was created."""

    url: str
    created_with: dict[str, object]
    files: dict[str, bytes] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


class SpaceServer(ThreadingHTTPServer):
    """Spaces by their name; nothing is done without `token`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spaces: dict[str, Space] = {}
        self.token = "hf_of_the_test"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def running_space_server() -> Iterator[SpaceServer]:
    server = SpaceServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SpaceServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _serve(self, body: bytes) -> None:
        path = unquote(urlsplit(self.path).path)
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._send(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif (found := _SPACE_API.fullmatch(path)) and found["repo"] in self.server.spaces:
            getattr(self, f"_{found['what'].partition('/')[0]}")(self.server.spaces[found["repo"]], body)
        else:
            self._send(404, {"error": "Repository not found"})

    def _create(self, wanted: dict[str, object]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        if name in self.server.spaces:
            self._send(409, {"error": "You already created this space repo", "url": self.server.spaces[name].url})
            return
        space = self.server.spaces[name] = Space(f"{self.server.url}/spaces/{name}", wanted)
        self._send(200, {"url": space.url})

    def _variables(self, space: Space, body: bytes) -> None:
        wanted = json.loads(body)
        space.variables[wanted["key"]] = wanted["value"]
        self._send(200, {key: {"key": key, "value": value} for key, value in space.variables.items()})

    def _tree(self, space: Space, _: bytes) -> None:
        entries = [
            {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for path, content in space.files.items()
        ]
        self._send(200, entries)

    def _preupload(self, _: Space, body: bytes) -> None:
        names = [file["path"] for file in json.loads(body)["files"]]
        files = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
        self._send(200, {"files": files})

    def _commit(self, space: Space, body: bytes) -> None:
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                space.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            elif entry["key"] == "deletedFile":
                space.files.pop(entry["value"]["path"])
        commit = "c" * 40
        self._send(200, {"success": True, "commitOid": commit, "commitUrl": f"{space.url}/commit/{commit}"})

    def _send(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
