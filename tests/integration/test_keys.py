"""Keys on two API processes over one store: what each may do, and what one can know of another."""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from typing import Any

import httpx
import pytest

from tests.support.stack import wait_until
from tests.support.two_apis import PLAIN, TwoApis

pytestmark = pytest.mark.integration


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


@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_an_event_stream_ends_with_its_key_and_with_its_secret(two: TwoApis, end: str) -> None:
    name = f"streams-{end}"
    secret = two.add(name)
    worker = two.stack.workers[0]
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        job = two.ask("POST", "/jobs", secret, json={"texts": ["글"]}).json()["id"]
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.stream("GET", f"{two.urls[1]}/jobs/{job}/events", headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            two.manage(end, name)
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
