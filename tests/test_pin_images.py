"""`make pin-images`, against a registry of the test's own."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "deploy" / "supply" / "pin_images.py"
FILES = ["Dockerfile.api", "Dockerfile.worker", *(f"deploy/{part}/Dockerfile" for part in ("proxy", "redis", "spaces"))]
DIGESTS = {"library/python": "a" * 64, "library/debian": "b" * 64, "library/redis": "c" * 64}


class Registry(BaseHTTPRequestHandler):
    """Tells digests to those who have fetched a token, as Docker Hub does."""

    digests: dict[str, str]

    def do_HEAD(self) -> None:
        repository = self.path.removeprefix("/v2/").partition("/manifests/")[0]
        if self.headers.get("Authorization") != f"Bearer for {repository}":
            self.send_response(401)
            realm = f"http://{self.headers['Host']}/token"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="r",scope="{repository}"')
        elif repository in self.digests:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", f"sha256:{self.digests[repository]}")
        else:
            self.send_response(404)
        self.end_headers()

    def do_GET(self) -> None:
        scope = self.path.partition("scope=")[2].replace("%2F", "/")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"token": f"for {scope}"}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as its base names it
        return


@pytest.fixture
def registry() -> Iterator[tuple[str, dict[str, str]]]:
    handler = type("Own", (Registry,), {"digests": dict(DIGESTS)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler.digests  # type: ignore[attr-defined]
        server.shutdown()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def pin(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--root", str(tree), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def arguments(tree: Path) -> list[str]:
    lines = [line for name in FILES for line in (tree / name).read_text().splitlines()]
    return [line.partition("=")[2] for line in lines if line.startswith("ARG ") and "_IMAGE=" in line]


def test_every_base_image_gets_the_digest_of_its_tag_and_a_newer_one_later(
    tree: Path, registry: tuple[str, dict[str, str]]
) -> None:
    url, digests = registry
    assert len(arguments(tree)) == len(FILES)
    assert pin(tree, "--registry", url).returncode == 0

    pinned = arguments(tree)
    for image in pinned:
        name, _, digest = image.removeprefix("docker.io/").partition("@sha256:")
        assert DIGESTS[name.partition(":")[0]] == digest
        assert ":" in name
    assert pin(tree, "--check").returncode == 0
    digests["library/python"] = "d" * 64
    assert pin(tree, "--registry", url).returncode == 0
    assert sum("d" * 64 in image for image in arguments(tree)) == sum("python" in image for image in pinned)


def test_all_are_pinned_or_none(tree: Path, registry: tuple[str, dict[str, str]]) -> None:
    url, digests = registry
    del digests["library/redis"]
    before = arguments(tree)

    done = pin(tree, "--registry", url)

    assert done.returncode == 2
    assert "library/redis" in done.stderr
    assert arguments(tree) == before
    assert pin(tree, "--registry", "http://127.0.0.1:1").returncode == 2
    checked = pin(tree, "--check")
    assert (checked.returncode, "library/redis:" in checked.stdout) == (1, True)


def test_every_image_that_is_built_from_comes_from_such_a_line() -> None:
    for name in FILES:
        text = (ROOT / name).read_text()
        bases = [line.split()[1] for line in text.splitlines() if line.startswith("FROM ")]
        stages = {line.split()[3] for line in text.splitlines() if line.startswith("FROM ") and len(line.split()) > 3}
        assert all(base.startswith("${") or base in stages for base in bases), name
