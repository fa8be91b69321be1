"""Keys on two API processes over one store: what each may do, and what one can know of another."""

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from api.keys import keys
from tests.support.stack import Part, Stack, free_port, running_stack, wait_until

pytestmark = pytest.mark.integration

PLAIN = "plain-key"
# What the issue promises is a second; a busy machine gets some more.
SOON_S = 30  # each API process looks more than once a second


class TwoApis:
    """A stack with a second API process, and the command that manages its keys."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        port = free_port()
        self.urls = [stack.url, f"http://127.0.0.1:{port}"]
        self.admin_url = f"http://127.0.0.1:{free_port()}"
        # The first API closes what is for operators, the second moves it to a port of its own.
        other = {"PORT": str(port), "ADMIN_PORT": self.admin_url.rpartition(":")[2], "CLOSED_ROUTES": ""}
        self.second = Part(stack.api.command, {**stack.environment, **other}, stack.folder / "api-2.log")

    def manage(self, *words: str) -> str:
        """The standard output of `kobert keys`."""
        environment = {"REDIS_URL": self.stack.redis_url, "API_KEYS": PLAIN}
        done = CliRunner().invoke(keys, words, env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    def add(self, name: str, *options: str) -> str:
        secret = self.manage("add", name, *options)
        self.wait_for(secret, known=True)
        return secret

    def id_of(self, name: str) -> str:
        listed = map(json.loads, self.manage("list", "--json").splitlines())
        return str(next(shown["id"] for shown in listed if shown["name"] == name))

    def both_answer(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.statuses(PLAIN) == {200}
        return False

    def statuses(self, secret: str) -> set[int]:
        return {self.ask("GET", "/jobs", secret, api=api).status_code for api in range(2)}

    def wait_for(self, secret: str, *, known: bool) -> None:
        wanted = {200, 403} if known else {401}
        wait_until(lambda: self.statuses(secret) <= wanted, f"every API process knows {known=}", SOON_S)

    def ask(self, method: str, path: str, secret: str, *, api: int = 0, **rest: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret}", **rest.pop("headers", {})}
        return httpx.request(method, self.urls[api] + path, headers=headers, timeout=30, **rest)


@pytest.fixture(scope="module")
def two(echo_bundle: Path) -> Iterator[TwoApis]:
    settings: dict[str, Any] = {
        "api_keys": PLAIN,
        "job_poll_s": 0.5,
        "max_wrong_keys_per_minute": 6_000,
        "max_open_jobs": 8,
        "closed_routes": "metrics,docs",
    }
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, **settings) as stack,
    ):
        two = TwoApis(stack)
        # Each change of a key waits for the disk, which the store otherwise writes once a second.
        with stack.redis() as redis:
            redis.config_set("appendfsync", "always")
        two.second.start()
        try:
            wait_until(two.both_answer, "the second API's first answer")
            yield two
        finally:
            two.second.stop()


def test_a_key_works_everywhere_soon_after_it_is_made_and_nowhere_soon_after_it_is_revoked(two: TwoApis) -> None:
    secret = two.add("short-lived")
    assert two.statuses(secret) == {200}

    two.manage("revoke", "short-lived")
    started = time.monotonic()
    two.wait_for(secret, known=False)
    sys.stdout.write(f"refused by both API processes {time.monotonic() - started:.2f} s after the command ended\n")
    for method, path in (("POST", "/predict"), ("POST", "/jobs"), ("GET", "/jobs/job_" + "0" * 24)):
        assert two.ask(method, path, secret, json={"text": "글"}).status_code == 401


def test_a_key_does_what_its_scopes_say(two: TwoApis) -> None:
    predicts, runs_jobs = two.add("predicts", "--scope", "predict"), two.add("runs", "--scope", "jobs")
    text: dict[str, Any] = {"json": {"text": "글"}}

    assert two.ask("POST", "/predict", predicts, **text).status_code == 200
    assert two.ask("POST", "/predict", runs_jobs, **text).json()["error"]["code"] == "missing_scope"
    assert two.ask("GET", "/jobs", runs_jobs).status_code == 200
    assert two.ask("GET", "/jobs", predicts).status_code == 403


def test_another_key_cannot_see_list_cancel_stream_or_delete_a_job(two: TwoApis) -> None:
    first, second = two.add("first"), two.add("second")
    job = two.ask("POST", "/jobs", first, json={"texts": ["글"] * 30}).json()["id"]
    attempts = [
        ("GET", f"/jobs/{job}"),
        ("GET", f"/jobs/{job}/results"),
        ("GET", f"/jobs/{job}/results?partial=true"),
        ("GET", f"/jobs/{job}/errors"),
        ("GET", f"/jobs/{job}/events"),
        ("POST", f"/jobs/{job}/cancel"),
        ("DELETE", f"/jobs/{job}"),
        ("GET", f"/jobs?after={job}"),
    ]
    missing = job[:-1] + ("0" if job[-1] != "0" else "1")
    for api in range(2):
        for method, path in attempts:
            for other in (second, PLAIN):
                answer = two.ask(method, path, other, api=api)
                unknown = two.ask(method, path.replace(job, missing), other, api=api)
                # The same words as for a job that never was.
                assert answer.status_code == unknown.status_code == 404
                assert answer.json()["error"]["message"].replace(job, missing) == unknown.json()["error"]["message"]
        assert two.ask("GET", "/jobs", second, api=api).json()["data"] == []
    assert two.ask("GET", f"/jobs/{job}?wait=30", first, api=1).json()["status"] == "completed"


def test_an_idempotency_key_of_another_key_gives_no_job_of_it(two: TwoApis) -> None:
    owner, other = two.add("idem-1"), two.add("idem-2")
    headers = {"Idempotency-Key": "the same"}
    jobs = [two.ask("POST", "/jobs", key, json={"texts": ["글"]}, headers=headers).json() for key in (owner, other)]

    assert jobs[0]["id"] != jobs[1]["id"]


def test_jobs_stay_visible_when_their_key_is_rotated(two: TwoApis) -> None:
    old = two.add("rotated")
    job = two.ask("POST", "/jobs", old, json={"texts": ["글"]}).json()["id"]
    new = two.manage("rotate", "rotated", "--grace", "1h")
    two.wait_for(new, known=True)

    assert {two.ask("GET", f"/jobs/{job}", key, api=1).status_code for key in (old, new)} == {200}
    newest = two.manage("rotate", "rotated")
    two.wait_for(new, known=False)
    assert two.ask("GET", f"/jobs/{job}", newest).status_code == 200
    assert two.statuses(old) == {401}


def test_what_was_done_is_in_the_audit_log_and_no_secret_is_anywhere(two: TwoApis) -> None:
    secret = two.add("audited")
    job = two.ask("POST", "/jobs", secret, json={"texts": ["감사 기록에 없어야 하는 글"]}).json()["id"]
    assert two.ask("DELETE", f"/jobs/{job}", secret).status_code == 200
    two.manage("revoke", "audited")

    key_id = two.id_of("audited")
    log = two.manage("audit")
    entries = [json.loads(line) for line in log.splitlines()][:3]
    assert [(entry["action"], entry["target"]) for entry in entries] == [
        ("key.revoked", f"{key_id} audited"),
        ("job.deleted", job),
        ("key.added", f"{key_id} audited"),
    ]
    assert entries[1]["actor"] == key_id
    assert entries[0]["actor"].startswith("operator:")
    for hidden in (secret[8:], "감사 기록에"):
        assert hidden not in log
        assert hidden not in two.stack.logs()
    requests = [event for event in two.stack.events() if event.get("key_id") == key_id]
    assert {event["event"] for event in requests} == {"request", "audit"}


def test_an_event_stream_ends_when_its_key_is_revoked(two: TwoApis) -> None:
    secret = two.add("streams")
    worker = two.stack.workers[0]
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        job = two.ask("POST", "/jobs", secret, json={"texts": ["글"]}).json()["id"]
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.stream("GET", f"{two.urls[1]}/jobs/{job}/events", headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            two.manage("revoke", "streams")
            events = [line for line in lines if line.startswith("event:")]
    finally:
        os.kill(worker.pid, signal.SIGCONT)

    assert events == ["event: progress"]


def begin(two: TwoApis, method: str, path: str, secret: str, body: bytes, kind: str) -> socket.socket:
    """A connection on which half of a request has come, and whose key has been looked at."""
    connection = socket.create_connection(("127.0.0.1", two.stack.port), 30)
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n"
    connection.sendall(f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:-2])
    return connection


def finish(connection: socket.socket, body: bytes) -> int:
    with contextlib.suppress(ConnectionError):
        connection.sendall(body[-2:])
    with connection, connection.makefile("rb") as answer:
        return int(answer.readline().split()[1])


BEGUN = [
    ("PUT", "/policies/revoked", b'{"deny": ["a"]}', "application/json"),
    ("POST", "/corrections", b'{"text": "a", "classification": "clean"}', "application/json"),
    ("POST", "/jobs", b"text\n" + b"a\n" * 1_000, "text/csv"),
    ("POST", "/jobs/preview", b"text\na\n", "text/csv"),
    ("POST", "/v1/moderations", b'{"input": "a"}', "application/json"),
]


def test_a_request_whose_body_comes_after_its_key_was_revoked_does_nothing(two: TwoApis) -> None:
    secret = two.add("slow", *(word for scope in ("predict", "jobs", "policies") for word in ("--scope", scope)))
    begun = [begin(two, method, path, secret, body, kind) for method, path, body, kind in BEGUN]
    time.sleep(0.5)
    two.manage("revoke", "slow")
    two.wait_for(secret, known=False)

    sent = [finish(connection, body) for connection, (_, _, body, _) in zip(begun, BEGUN, strict=True)]

    assert sent == [401] * len(BEGUN)
    assert two.ask("GET", "/policies/revoked", PLAIN).status_code == 404
    with two.stack.redis() as redis:
        owners = [redis.hget(key, "owner") for key in redis.scan_iter("kobert:job:*") if redis.type(key) == b"hash"]
    assert two.id_of("slow").encode() not in owners


def test_a_download_ends_when_its_key_is_revoked(two: TwoApis) -> None:
    secret = two.add("downloads")
    rows = "text,other\n" + f"글,{'a' * 4_000}\n" * 3_000
    job = two.ask("POST", "/jobs", secret, content=rows, headers={"Content-Type": "text/csv"}).json()["id"]
    wait_until(lambda: two.ask("GET", f"/jobs/{job}", secret).json()["status"] == "completed", "the job's end")
    head = f"GET /jobs/{job}/results?partial=true HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", two.stack.port), 30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(head.encode())
        received = connection.recv(4096)
        two.manage("revoke", "downloads")
        two.wait_for(secret, known=False)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(1 << 20):
                received += piece

    assert b" 200 " in received[:20]
    assert not received.endswith(b"0\r\n\r\n")


# How long six texts a minute wait for each other.
STEP_S = 10


def test_a_rate_holds_over_all_processes_and_says_when_there_is_room(two: TwoApis) -> None:
    secret = two.add("rated", "--scope", "predict", "--texts-per-minute", "6")
    started = time.monotonic()
    taken = 0
    while (answer := two.ask("POST", "/predict", secret, api=taken % 2, json={"text": "글"})).status_code == 200:
        taken += 1
        # Six at once and one more every ten seconds, however slow the machine: two separate counts would take twelve.
        assert taken <= 6 + (time.monotonic() - started) / STEP_S
    until_room_s = (taken - 5) * STEP_S - (time.monotonic() - started)

    assert taken >= 6
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "quota_exceeded")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert until_room_s <= int(answer.headers["retry-after"]) <= STEP_S
    assert two.ask("POST", "/predict", secret, json={"texts": ["글"] * 7}).status_code == 413
    assert two.ask("POST", "/predict", PLAIN, json={"text": "글"}).status_code == 200


def test_bytes_are_counted_before_a_body_is_read(two: TwoApis) -> None:
    secret = two.add("counted", "--bytes-per-day", "3000")
    lines = b"\n".join([b"a line of it"] * 100)

    assert two.ask("POST", "/jobs?format=txt", secret, content=lines).status_code == 202
    assert two.ask("POST", "/jobs?format=txt", secret, content=lines, api=1).status_code == 202
    refused = two.ask("POST", "/jobs?format=txt", secret, content=lines)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
    unsaid = two.ask("POST", "/jobs?format=txt", secret, content=iter([lines]))
    assert (unsaid.status_code, unsaid.json()["error"]["code"]) == (411, "length_required")
    assert two.ask("GET", "/jobs", secret).status_code == 200


def test_a_key_that_opens_jobs_without_end_leaves_room_to_another(two: TwoApis) -> None:
    greedy, modest = two.add("greedy"), two.add("modest")
    limited = two.add("limited", "--open-jobs", "1")
    worker = two.stack.workers[0]
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        statuses = [two.ask("POST", "/jobs", greedy, api=n % 2, json={"texts": ["글"]}).status_code for n in range(8)]
        assert statuses[0] == 202
        assert statuses[-1] == 429
        assert two.ask("POST", "/jobs", modest, json={"texts": ["글"]}).status_code == 202
        assert [two.ask("POST", "/jobs", limited, json={"texts": ["글"]}).status_code for _ in range(2)] == [202, 429]
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    jobs = two.ask("GET", "/jobs", greedy).json()["data"]
    for job in jobs:
        assert two.ask("GET", f"/jobs/{job['id']}?wait=30", greedy).json()["status"] == "completed"


OPERATORS_PATHS = ("/metrics", "/docs", "/redoc", "/openapi.json", "/docs/files/swagger-ui.css")


def test_what_is_for_operators_takes_a_key_of_theirs_where_it_is_closed(two: TwoApis) -> None:
    operator, user = two.add("operator", "--scope", "admin"), two.add("user")
    for path in OPERATORS_PATHS:
        assert httpx.get(two.urls[0] + path).status_code == 401
        assert two.ask("GET", path, user).json()["error"]["code"] == "missing_scope"
        assert two.ask("GET", path, operator).status_code == 200
    assert httpx.get(f"{two.urls[0]}/health").status_code == 200


def test_what_is_for_operators_is_on_their_port_alone_where_there_is_one(two: TwoApis) -> None:
    nowhere = httpx.get(f"{two.urls[1]}/nowhere")
    for path in OPERATORS_PATHS:
        hidden = httpx.get(two.urls[1] + path)
        assert (hidden.status_code, hidden.json()["error"]["code"]) == (404, nowhere.json()["error"]["code"])
        assert httpx.get(two.admin_url + path).status_code == 200
    assert httpx.post(f"{two.admin_url}/predict", json={"text": "글"}).status_code == 401


def test_info_tells_strangers_nothing_of_the_workers_processes(two: TwoApis) -> None:
    operator, user = two.add("operator-2", "--scope", "admin"), two.add("user-2")
    private = {"id", "rss_bytes", "started_at"}

    def told(answer: httpx.Response) -> set[str]:
        assert answer.json()["model"]["name"] == "echo"
        return set(answer.json()["workers"][0]) & private

    assert told(httpx.get(f"{two.urls[0]}/info")) == told(two.ask("GET", "/info", user)) == set()
    assert told(two.ask("GET", "/info", operator)) == told(httpx.get(f"{two.admin_url}/info")) == private
    assert two.ask("GET", "/info", "wrong").status_code == 401
