"""What policies may take of the store and of the API's memory."""

import socket
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.policies import RULES, put
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration


def test_versions_are_bounded_by_number_and_size(bundle: Path) -> None:
    settings = {"max_policy_versions": 3, "max_policy_bytes": 2048}
    with tempfile.TemporaryDirectory(prefix="kt-") as folder, running_stack(Path(folder), bundle, **settings) as stack:
        for number in range(5):
            put(stack, "small", deny=[f"말{number}"])
            put(stack, "large", deny=[f"{number}{'말' * 98}" for number in range(number, number + 6)])

        def kept(name: str) -> list[int]:
            return [one["version"] for one in httpx.get(f"{stack.url}/policies/{name}/versions").json()["data"]]

        assert len(kept("small")) == 3
        assert len(kept("large")) == 2


def test_versions_of_deleted_policies_are_bounded_together(bundle: Path) -> None:
    settings = {"max_policies": 3, "max_policy_bytes": 2048}
    with tempfile.TemporaryDirectory(prefix="kt-") as folder, running_stack(Path(folder), bundle, **settings) as stack:

        def delete(name: str, deny: list[str]) -> None:
            assert put(stack, name, deny=deny).status_code == 201
            assert httpx.delete(f"{stack.url}/policies/{name}").status_code == 200

        def kept(names: str) -> str:
            found = (name for name in names if httpx.get(f"{stack.url}/policies/{name}/versions").is_success)
            return "".join(found)

        for name in "abcde":
            delete(name, [f"말{name}"])
        assert kept("abcde") == "cde"
        put(stack, "d", deny=["말"])
        for name in "fgh":
            delete(name, [f"{number}{'말' * 90}{name}" for number in range(6)])
        assert kept("cdefgh") == "dgh"
        assert httpx.delete(f"{stack.url}/policies/d").status_code == 200


def test_rules_that_are_replaced_deleted_or_tried_are_bounded_together(bundle: Path) -> None:
    """They stay for texts on their way, and two a second of two megabytes each filled the store."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), bundle, max_policy_bytes=20_000) as stack,
        stack.redis() as redis,
    ):

        def rules(number: int) -> dict[str, Any]:
            return {"deny": [f"{number}{'말' * 90}{entry}" for entry in range(60)]}

        def change(number: int) -> int:
            status = put(stack, f"p{number}", **rules(number)).status_code
            httpx.delete(f"{stack.url}/policies/p{number}")
            return status

        statuses = [change(number) for number in range(25)]
        assert statuses == [201] * statuses.count(201) + [429] * statuses.count(429)
        assert 15 < statuses.count(201) < 25
        assert len(list(redis.scan_iter("kobert:policy:*"))) == statuses.count(201)

        full = put(stack, "more", **rules(1))
        assert 0 < int(full.headers["retry-after"]) <= 120
        tried = httpx.post(f"{stack.url}/policies/more/try", json={"rules": rules(99), "texts": ["말"]})
        assert (tried.status_code, "MAX_POLICY_BYTES" in tried.text) == (429, True)
        for key in redis.zrange("kobert:policies:passing", 0, 9):
            redis.delete(key)
        assert put(stack, "more", **rules(1)).status_code == 201


def test_what_the_policies_of_one_key_take_is_bounded_and_leaves_room_to_others(bundle: Path) -> None:
    """A hundred policies of two megabytes, each with its versions, filled the store until no job fitted."""
    settings: dict[str, Any] = {"max_policy_bytes_per_key": 20_000, "api_keys": "one,two"}
    with tempfile.TemporaryDirectory(prefix="kt-") as folder, running_stack(Path(folder), bundle, **settings) as stack:

        def change(name: str, key: str = "one", entries: int = 12, number: int = 0) -> httpx.Response:
            deny = [f"{number}{'말' * 90}{entry}" for entry in range(entries)]
            return put(stack, name, deny=deny, headers={"Authorization": f"Bearer {key}"})

        made = [change(f"p{number}") for number in range(4)]
        assert [answer.status_code for answer in made] == [201, 201, 413, 413]
        assert "MAX_POLICY_BYTES_PER_KEY" in made[2].json()["error"]["message"]
        assert change("p2", key="two").status_code == 201

        # A change drops versions before it is refused.
        assert [change("p1", number=number).status_code for number in range(1, 4)] == [200] * 3
        head = {"Authorization": "Bearer one"}
        assert len(httpx.get(f"{stack.url}/policies/p1/versions", headers=head).json()["data"]) < 4
        assert httpx.delete(f"{stack.url}/policies/p0", headers=head).status_code == 200
        assert change("p3").status_code == 201
        with stack.redis() as redis:
            # As an earlier program leaves it.
            redis.delete("kobert:policies:sizes")
        assert [change("p4").status_code, change("p4", key="two").status_code] == [413, 201]


def test_large_policies_that_nobody_reads_are_few(stack: Stack) -> None:
    """A policy may have 2 MB, and each client that asked for it and read nothing had all of it in the API's memory."""
    deny = [f"{entry}{'말' * 90}" for entry in range(7_000)]
    assert put(stack, "large", deny=deny).status_code == 201
    host, port = stack.url.removeprefix("http://").split(":")
    open_now = [socket.create_connection((host, int(port))) for _ in range(12)]
    try:
        statuses = []
        for connection in open_now:
            connection.sendall(b"GET /policies/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            statuses.append(connection.recv(12)[9:])
        assert statuses == [b"200"] * 8 + [b"429"] * 4
        assert httpx.get(f"{stack.url}/policies").is_success
    finally:
        for connection in open_now:
            connection.close()
    wait_until(lambda: httpx.get(f"{stack.url}/policies/large").is_success, "a place")
    assert len(httpx.get(f"{stack.url}/policies/large").json()["deny"]) == len(deny)
    httpx.delete(f"{stack.url}/policies/large")


def test_a_store_that_is_nearly_full_takes_no_more_rules(bundle: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), bundle, max_store_fill=0.01) as stack,
        stack.redis() as redis,
    ):
        redis.config_set("maxmemory", 64 << 20)
        asked = [
            httpx.put(f"{stack.url}/policies/one", json=RULES),
            httpx.post(f"{stack.url}/policies/one/try", json={"rules": RULES, "texts": ["가"]}),
            httpx.post(f"{stack.url}/v1/batches", json={"input_file_id": "file-1"}),
            httpx.post(f"{stack.url}/v1/files", data={"purpose": "batch"}, files={"file": ("a.jsonl", b"{}\n")}),
        ]
        assert [(answer.status_code, "nearly full" in answer.text) for answer in asked] == [(429, True)] * 4
        assert httpx.post(f"{stack.url}/predict", json={"text": "가"}).status_code == 200
