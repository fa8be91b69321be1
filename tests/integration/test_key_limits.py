"""What a key is limited to, over two API processes: texts, bytes, open jobs, and what is for operators."""

import json
import os
import signal
import time

import httpx
import pytest
from redis import Redis

from tests.support.stack import wait_until
from tests.support.two_apis import PLAIN, TwoApis

pytestmark = pytest.mark.integration


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


def test_a_key_that_fills_the_store_with_jobs_leaves_half_of_it_to_others(two: TwoApis) -> None:
    greedy, modest = two.add("filling"), two.add("sparing")
    # It packs to half of its size, nearly all of which is a column that no model reads.
    file = "\n".join(["text,column", *(f"글,{os.urandom(2_000).hex()}" for _ in range(200))]).encode()
    with Redis.from_url(two.stack.redis_url) as redis:
        redis.config_set("maxmemory", int((redis.info("memory")["used_memory"] + (8 << 20)) / 0.85))
        try:
            jobs = []
            while (answer := two.ask("POST", "/jobs?format=csv", greedy, content=file)).status_code == 202:
                jobs.append(answer.json()["id"])
                assert two.ask("GET", f"/jobs/{jobs[-1]}?wait=30", greedy).json()["status"] == "completed"
                assert len(jobs) < 20
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "quota_exceeded")
            assert "delete finished jobs" in answer.json()["error"]["message"]
            assert int(answer.headers["retry-after"]) > 0
            assert len(jobs) >= 4

            other = two.ask("POST", "/jobs?format=csv", modest, content=file, api=1)
            assert other.status_code == 202
            assert two.ask("GET", f"/jobs/{other.json()['id']}?wait=30", modest).json()["status"] == "completed"

            for job in jobs:
                assert two.ask("DELETE", f"/jobs/{job}", greedy).is_success
            # The store frees in the background what is deleted.
            wait_until(
                lambda: two.ask("POST", "/jobs?format=csv", greedy, content=file).status_code == 202,
                "room in the store",
            )
        finally:
            redis.config_set("maxmemory", 0)


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

    wait_until(lambda: bool(two.ask("GET", "/info", user).json()["workers"]), "a heartbeat of the worker")

    def told(answer: httpx.Response) -> set[str]:
        assert answer.json()["model"]["name"] == "echo"
        return set(answer.json()["workers"][0]) & private

    assert told(httpx.get(f"{two.urls[0]}/info")) == told(two.ask("GET", "/info", user)) == set()
    assert told(two.ask("GET", "/info", operator)) == told(httpx.get(f"{two.admin_url}/info")) == private
    assert two.ask("GET", "/info", "wrong").status_code == 401


def test_a_key_is_told_what_it_holds_and_nobody_else_is(two: TwoApis) -> None:
    holder = two.add("holder", "--scope", "jobs", "--scope", "policies", "--requests-per-minute", "60")
    other = two.add("bystander", "--scope", "jobs", "--scope", "policies")
    job = two.ask("POST", "/jobs", holder, json={"texts": ["글"] * 50}).json()["id"]
    assert two.ask("GET", f"/jobs/{job}?wait=30", holder).json()["status"] == "completed"
    assert two.ask("PUT", "/policies/of-the-holder", holder, json={"deny": ["금칙어"]}).status_code == 201
    wait_until(
        lambda: two.ask("POST", "/corrections", holder, json={"text": "글", "classification": "clean"}).is_success,
        "a worker that says its labels",
    )

    told = two.ask("GET", "/info", holder, api=1).json()["key"]
    assert (told["id"], told["scopes"]) == (two.id_of("holder"), ["jobs", "policies"])
    assert told["limits"] == {"requests_per_minute": 60}
    holds = told["holds"]
    assert (holds["policies"], holds["corrections"], holds["open_jobs"]) == (1, 1, 0)
    assert holds["stored_bytes"] > 2_000
    assert holds["policy_bytes"] > 0 < holds["correction_bytes"]
    assert 0 <= told["left"]["requests_per_minute"] < 60

    beside = two.ask("GET", "/info", other).json()["key"]
    assert (beside["holds"], beside["left"]) == (dict.fromkeys(holds, 0), {})
    assert "key" not in httpx.get(f"{two.urls[0]}/info").json()
    assert "key" not in httpx.get(f"{two.admin_url}/info").json()

    listed = {shown["name"]: shown for shown in map(json.loads, two.manage("list", "--json").splitlines())}
    assert listed["holder"]["holds"] == holds
    assert listed["bystander"]["holds"] == beside["holds"]
    line = next(line for line in two.manage("list").splitlines() if "  holder  " in line)
    assert f"stores {holds['stored_bytes']:,} bytes, 0 open jobs, 1 policies" in line
    assert "requests_per_minute left" in line

    # One of API_KEYS has another owner than its id.
    assert two.ask("PUT", "/policies/of-the-plain-key", PLAIN, json={"deny": ["금칙어"]}).status_code == 201
    plain = two.ask("GET", "/info", PLAIN).json()["key"]
    assert (plain["id"], plain["holds"]["policies"]) == ("API_KEYS:1", 1)
