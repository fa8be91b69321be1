"""Links and pages behind proxies; HAProxy, where it is installed, has the configuration of Docker Compose."""

import re
import shutil
import socketserver
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from tests.support.stack import ROOT, Part, Stack, free_port, running_stack, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def prefixed(echo_bundle: Path) -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, root_path="/kobert") as running,
    ):
        yield running


@pytest.mark.parametrize("base", ["", "/kobert"])
def test_everything_is_there_under_the_root_path_whether_the_proxy_takes_it_off_or_not(
    prefixed: Stack, base: str
) -> None:
    url = prefixed.url + base

    assert httpx.get(f"{url}/health").json() == {"status": "ok"}
    assert "url: '/kobert/openapi.json'" in httpx.get(f"{url}/docs").text
    assert httpx.get(f"{url}/openapi.json").json()["servers"] == [{"url": "/kobert"}]
    assert httpx.post(f"{url}/predict", json={"text": "글"}).status_code == 200


def test_the_links_of_a_job_lead_back_under_the_root_path(prefixed: Stack) -> None:
    made = httpx.post(f"{prefixed.url}/jobs", json={"texts": ["글"]}, headers={"Idempotency-Key": "a"})
    again = httpx.post(f"{prefixed.url}/jobs", json={"texts": ["글"]}, headers={"Idempotency-Key": "a"})
    job = made.json()

    assert made.headers["location"] == again.headers["location"] == job["links"]["self"] == f"/kobert/jobs/{job['id']}"
    assert all(link.startswith("/kobert/jobs/") for link in job["links"].values())
    assert (
        httpx.get(prefixed.url + job["links"]["self"], params={"wait": 30}, timeout=60).json()["links"] == job["links"]
    )
    assert httpx.get(f"{prefixed.url}/jobs").json()["data"][0]["links"] == job["links"]
    assert f'"self":"{job["links"]["self"]}"' in httpx.get(prefixed.url + job["links"]["events"]).text
    assert httpx.get(prefixed.url + job["links"]["results"]).status_code == 200


def test_a_trusted_proxy_may_say_the_prefix_and_a_stranger_may_not(stack: Stack, prefixed: Stack) -> None:
    headers = {"X-Forwarded-Prefix": "/theirs", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.com"}

    for running in (stack, prefixed):
        job = httpx.post(f"{running.url}/jobs", json={"texts": ["글"]}, headers=headers)
        assert job.headers["location"].startswith("/theirs/jobs/")
    assert httpx.get(f"{stack.url}/jobs/", headers=headers).headers["location"] == "https://example.com/theirs/jobs"


def test_with_nobody_trusted_the_headers_mean_nothing(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle, trusted_proxies="none") as stack:
        headers = {"X-Forwarded-Prefix": "/theirs", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.com"}
        job = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"]}, headers=headers)
        assert job.headers["location"] == f"/jobs/{job.json()['id']}"
        assert httpx.get(f"{stack.url}/jobs/", headers=headers).headers["location"] == f"{stack.url}/jobs"


@contextmanager
def running_haproxy(server_port: int) -> Iterator[str]:
    """The address of an HAProxy with the project's own configuration and one server."""
    command = shutil.which("haproxy")
    if command is None:
        pytest.skip("haproxy is not installed")
    port = free_port()
    config = (ROOT / "deploy/proxy/haproxy.cfg").read_text()
    config = re.sub(r"(?m)^resolvers docker\n(?:    .*\n)+", "", config).replace(" init-addr none resolvers docker", "")
    config = config.replace("server-template api 16 api:8000", f"server api 127.0.0.1:{server_port}")
    config = config.replace("bind :8000", f"bind 127.0.0.1:{port}").replace("fd-hard-limit 8300", "fd-hard-limit 500")
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text(config)
        checked = subprocess.run([command, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        proxy = Part([command, "-db", "-f", str(file)], {}, Path(folder) / "haproxy.log")
        proxy.start()
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(f"{url}/health"), "an answer through HAProxy")
            yield url
        finally:
            proxy.stop()


@pytest.fixture(scope="module")
def behind_haproxy(stack: Stack) -> Iterator[str]:
    with running_haproxy(stack.port) as url:
        yield url


class SilentAtFirst(socketserver.StreamRequestHandler):
    """Ends the connection of the first request of each kind without a word, as an API that is killed; then answers."""

    seen: ClassVar[list[str]] = []

    def handle(self) -> None:
        while head := b"".join(iter(self.rfile.readline, b"\r\n")):
            line = head.splitlines()[0].decode()
            length = re.search(rb"(?im)^content-length: (\d+)", head)
            self.rfile.read(int(length[1]) if length else 0)
            self.seen.append(line)
            if "/health" not in line and self.seen.count(line) == 1:
                return
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def test_the_proxy_of_compose_asks_again_only_where_asking_twice_changes_nothing() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), SilentAtFirst) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with running_haproxy(server.server_address[1]) as url:
            got = {method: httpx.request(method, f"{url}/jobs").status_code for method in ("GET", "HEAD", "DELETE")}
            got["POST"] = httpx.post(f"{url}/predict", json={"text": "글"}).status_code
        server.shutdown()
    assert got == {"GET": 200, "HEAD": 200, "DELETE": 502, "POST": 502}
    asked = Counter(line.split()[0] for line in SilentAtFirst.seen if "/health" not in line)
    assert asked == {"GET": 2, "HEAD": 2, "DELETE": 1, "POST": 1}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_the_proxy_of_compose_hands_on_what_a_proxy_before_it_said(behind_haproxy: str) -> None:
    headers = {"X-Forwarded-Prefix": "/theirs", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.com"}

    plain = httpx.get(f"{behind_haproxy}/jobs/")
    told = httpx.get(f"{behind_haproxy}/jobs/", headers=headers)

    assert plain.headers["location"] == f"{behind_haproxy}/jobs"
    assert told.headers["location"] == "https://example.com/theirs/jobs"
