"""A small Hugging Face Hub over HTTP: the endpoints that huggingface_hub calls to look up, download and upload a model.

`HubServer` is used as a context manager; point `HF_ENDPOINT` at its `url`. What it was asked is in `requests`.
"""

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

_MODEL_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(?:/revision/(?P<revision>[^/]+))?")
_TREE_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)")
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
_PREUPLOAD = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/preupload/[^/]+")
_COMMIT = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/commit/[^/]+")
_LFS_BATCH = re.compile(r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
_LFS_OBJECT = re.compile(r"/lfs/(?P<oid>[0-9a-f]{64})")
_LARGE_BYTES = 100_000


@dataclass
class Repo:
    """One repository: its files at each commit; the last commit is `main`."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: bool = False

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    def commit(self, files: dict[str, bytes]) -> str:
        name = hashlib.sha1(repr([len(self.commits), sorted(files)]).encode()).hexdigest()
        self.commits[name] = files
        return name

    def find(self, revision: str | None) -> str | None:
        return self.head if revision in (None, "main") else revision if revision in self.commits else None


class HubServer(ThreadingHTTPServer):
    """The Hub. `token` opens private repositories; `status` other than 200 is the answer to everything; while `silent`
    is set there is no answer at all."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, Repo] = {}
        self.lfs: dict[str, bytes] = {}
        self.token = "hf_the_right_one"
        self.status = 200
        self.cut_after_bytes: int | None = None
        self.silent = threading.Event()
        self.awake = threading.Event()
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, name: str, files: dict[str, bytes], *, private: bool = False) -> str:
        """Commit `files` to the repository `name`; returns the commit."""
        repo = self.repos.setdefault(name, Repo(private=private))
        return repo.commit(files)


@contextmanager
def running_hub() -> Iterator[HubServer]:
    """A Hub on a free port, in a thread of its own."""
    server = HubServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.awake.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._get()

    def do_GET(self) -> None:
        self._get()

    def do_PUT(self) -> None:
        body, path = self._begin()
        if found := _LFS_OBJECT.fullmatch(path):
            self.server.lfs[found["oid"]] = body
            self._send(200)
        else:
            self._send(404)

    def do_POST(self) -> None:
        body, path = self._begin()
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._error(401, "", "Invalid username or password.")
        elif path == "/api/repos/create":
            name = json.loads(body)
            repo_id = f"{name.get('organization') or 'me'}/{name['name']}"
            self.server.repos.setdefault(repo_id, Repo()).commit({})
            self._json({"url": f"{self.server.url}/{repo_id}"})
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif _PREUPLOAD.fullmatch(path):
            self._json({"files": [self._upload_mode(file) for file in json.loads(body)["files"]]})
        elif _LFS_BATCH.fullmatch(path):
            objects = [self._lfs_object(item) for item in json.loads(body)["objects"]]
            self._json({"transfer": "basic", "objects": objects})
        elif found := _COMMIT.fullmatch(path):
            self._commit(found["repo"], body)
        else:
            self._send(404)

    def _get(self) -> None:
        _, path = self._begin()
        if self.server.silent.is_set():
            self.server.awake.wait()
        if self.server.status != 200:
            self._error(self.server.status, "", "in trouble")
        elif found := _TREE_API.fullmatch(path):
            self._tree(found["repo"], found["revision"])
        elif found := _MODEL_API.fullmatch(path):
            self._model(found["repo"], found["revision"])
        elif found := _RESOLVE.fullmatch(path):
            self._file(found["repo"], found["revision"], found["file"])
        else:
            self._error(404, "RepoNotFound", "Repository not found")

    def _begin(self) -> tuple[bytes, str]:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)), path

    def _repo(self, name: str) -> Repo | None:
        """The repository, or an answer to whoever may not see it."""
        repo = self.server.repos.get(name)
        allowed = self.headers.get("Authorization") == f"Bearer {self.server.token}"
        if repo is not None and (allowed or not repo.private):
            return repo
        self._error(401 if not allowed else 404, "RepoNotFound", "Repository not found")
        return None

    def _files_at(self, name: str, revision: str | None) -> tuple[str, dict[str, bytes]] | None:
        repo = self._repo(name)
        if repo is None:
            return None
        commit = repo.find(revision)
        if commit is None:
            self._error(404, "RevisionNotFound", "Invalid rev id")
            return None
        return commit, repo.commits[commit]

    def _model(self, name: str, revision: str | None) -> None:
        if found := self._files_at(name, revision):
            commit, files = found
            siblings = [{"rfilename": file} for file in files]
            self._json({"_id": "1", "id": name, "modelId": name, "sha": commit, "private": False, "tags": [],
                        "downloads": 0, "likes": 0, "siblings": siblings})  # fmt: skip

    def _tree(self, name: str, revision: str) -> None:
        if found := self._files_at(name, revision):
            _, files = found
            self._json(
                [
                    {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for file, content in files.items()
                ]
            )

    def _file(self, name: str, revision: str, file: str) -> None:
        found = self._files_at(name, revision)
        if found is None:
            return
        commit, files = found
        if file not in files:
            self._error(404, "EntryNotFound", "Entry not found")
            return
        content = files[file]
        start = int((re.findall(r"bytes=(\d+)-", self.headers.get("Range", "")) or ["0"])[0])
        headers = {
            "X-Repo-Commit": commit,
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Accept-Ranges": "bytes",
            "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}",
        }
        self._send(206 if start else 200, content[start:], headers)

    def _upload_mode(self, file: dict[str, object]) -> dict[str, object]:
        large = int(str(file["size"])) > _LARGE_BYTES
        return {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}

    def _lfs_object(self, item: dict[str, object]) -> dict[str, object]:
        upload = {"href": f"{self.server.url}/lfs/{item['oid']}"}
        return {"oid": item["oid"], "size": item["size"], "actions": {"upload": upload}}

    def _commit(self, name: str, body: bytes) -> None:
        repo = self.server.repos[name]
        files = dict(repo.commits[repo.head])
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.server.lfs[value["oid"]]
        commit = repo.commit(files)
        self._json({"success": True, "commitOid": commit, "commitUrl": f"{self.server.url}/{name}/commit/{commit}"})

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
        self._send(status, json.dumps({"error": message}).encode(), {**headers, "Content-Type": "application/json"})

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for header, value in (headers or {}).items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.server.cut_after_bytes
        if cut is not None and len(body) > cut:
            self.wfile.write(body[:cut])
            self.server.cut_after_bytes = None
            self.close_connection = True
            return
        self.wfile.write(body)
