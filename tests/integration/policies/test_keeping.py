"""How policies are kept: set by one API, followed by all APIs and workers, and still there afterwards."""

import os
import signal
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.command import run_command
from tests.support.policies import RULES, error_of, predict, put
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration


def test_a_policy_is_shown_as_it_was_set_and_knows_its_version_and_its_author(stack: Stack) -> None:
    made = put(stack, "게시판-1", **RULES)
    again = put(stack, "게시판-1", **RULES)
    changed = put(stack, "게시판-1", deny=["멍청이"])

    assert (made.status_code, again.status_code, changed.status_code) == (201, 200, 200)
    shown = made.json()
    assert {field: shown[field] for field in ("strictness", "thresholds", "labels", "mask")} == {
        field: RULES[field] for field in ("strictness", "thresholds", "labels", "mask")
    }
    assert shown["deny"] == [{"term": "멍청이", "label": "denied", "match": "word"}, RULES["deny"][1]]
    assert shown["allow"] == [{"term": "게이머", "match": "part"}]
    assert (shown["updated_by"], shown["counts"]) == ("everybody", {"deny": 2, "allow": 1})
    assert again.json() == shown
    assert changed.json()["version"] > shown["version"]
    assert changed.json()["created_at"] == shown["created_at"]
    assert (changed.json()["strictness"], changed.json()["allow"]) == (None, [])
    assert httpx.get(f"{stack.url}/policies/게시판-1").json() == changed.json()
    assert "게시판-1" in [head["name"] for head in httpx.get(f"{stack.url}/policies").json()["data"]]


def test_a_change_names_the_version_that_it_is_of(stack: Stack) -> None:
    first = put(stack, "etag", deny=["하나"], headers={"If-None-Match": "*"})
    second = put(stack, "etag", deny=["둘"], headers={"If-Match": first.headers["etag"]})

    assert (first.status_code, second.status_code) == (201, 200)
    late = put(stack, "etag", deny=["셋"], headers={"If-Match": first.headers["etag"]})
    assert late.status_code == 412
    assert late.json()["error"]["code"] == "precondition_failed"
    assert put(stack, "etag", deny=["넷"], headers={"If-None-Match": "*"}).status_code == 412
    stale = {"If-Match": first.headers["etag"]}
    assert httpx.delete(f"{stack.url}/policies/etag", headers=stale).status_code == 412
    assert put(stack, "etag", headers={"If-Match": "soon"}).json()["error"]["param"] == "If-Match"
    assert httpx.delete(f"{stack.url}/policies/etag", headers={"If-Match": second.headers["etag"]}).status_code == 200
    assert httpx.delete(f"{stack.url}/policies/etag").status_code == 404


@pytest.mark.parametrize(
    ("rules", "param", "complaint"),
    [
        ({"deni": []}, "deni", "there is no field 'deni'"),
        ({"strictness": "harsh"}, "strictness", "lenient, standard, strict"),
        ({"thresholds": {"curze": 0.5}}, "thresholds", "it has them for curse, insult, hate"),
        ({"labels": ["curse", "curze"]}, "labels", 'no label "curze"'),
        ({"deny": "멍청이"}, "deny", "must be an array"),
        ({"deny": ["멍청이", " "]}, "deny[1]", "empty or blank"),
        ({"deny": ["멍청이", 3]}, "deny[1]", "a string or an object"),
        ({"deny": [{"term": "a", "mode": "word"}]}, "deny[0]", "a field 'mode'"),
        ({"deny": [{"term": "a", "match": "regex"}]}, "deny[0]", "match is word or part"),
        ({"deny": [{"term": "a", "label": "a|b"}]}, "deny[0]", "a label has no |"),
        ({"allow": ["가" * 101]}, "allow[0]", "a term takes 100"),
        ({"allow": [{"term": "가", "label": "x"}]}, "allow[0]", "an entry has term, match"),
        ({"mask": {"char": "**"}}, "mask.char", "one character"),
    ],
)
def test_rules_that_cannot_work_are_refused_by_entry(
    stack: Stack, rules: dict[str, Any], param: str, complaint: str
) -> None:
    status, named, message = error_of(put(stack, "bad", **rules))

    assert (status, named) == (422, param)
    assert complaint in message
    assert httpx.get(f"{stack.url}/policies/bad").status_code == 404


def test_a_policy_put_through_one_api_acts_through_the_other_on_every_worker(stack: Stack, other_api: str) -> None:
    put(stack, "shared", deny=["하나"])
    wait_until(lambda: predict(other_api, "하나", policy="shared").status_code == 200, "the policy", 30)

    version = put(stack, "shared", deny=["둘"]).json()["version"]
    wait_until(lambda: predict(other_api, "둘", policy="shared").headers["x-policy"] == f"shared@{version}", "it", 30)

    verdicts = [predict(other_api, "둘", policy="shared").json() for _ in range(10)]
    assert {verdict["classification"] for verdict in verdicts} == {"denied"}
    assert predict(other_api, "하나", policy="shared").json()["matches"] == []


def test_a_worker_that_was_away_catches_up(stack: Stack) -> None:
    put(stack, "away", deny=["하나"])
    for _ in range(6):
        predict(stack.url, "하나", policy="away")
    away, present = stack.workers
    os.kill(away.pid, signal.SIGSTOP)
    try:
        put(stack, "away", deny=["둘"])
    finally:
        os.kill(away.pid, signal.SIGCONT)
    wait_until(lambda: len(stack.info()["workers"]) == 2, "both workers")
    os.kill(present.pid, signal.SIGSTOP)
    try:
        verdict = predict(stack.url, "둘", policy="away").json()
    finally:
        os.kill(present.pid, signal.SIGCONT)
    assert verdict["classification"] == "denied"


def test_policies_of_a_file_and_all_others_outlive_the_store_and_the_api(short_tmp: Path, bundle: Path) -> None:
    file = short_tmp / "policies.toml"
    file.write_text('[board1]\nstrictness = "strict"\ndeny = ["멍청이"]\n\n[board2]\nthresholds = {curse = 0.7}\n')
    with running_stack(short_tmp, bundle, policies_file=file) as running:

        def listed() -> list[tuple[str, bool, str]]:
            heads = httpx.get(f"{running.url}/policies").json()["data"]
            return [(head["name"], head["read_only"], head["updated_by"]) for head in heads]

        assert listed() == [("board1", True, "POLICIES_FILE"), ("board2", True, "POLICIES_FILE")]
        assert predict(running.url, "멍청이", policy="board1").json()["classification"] == "denied"
        assert put(running, "board1", deny=[]).json()["error"]["code"] == "policy_read_only"
        assert httpx.delete(f"{running.url}/policies/board2").status_code == 409
        kept = put(running, "kept", **RULES).json()
        put(running, "gone", deny=["하나"])
        httpx.delete(f"{running.url}/policies/gone")

        with running.redis() as redis:
            wait_until(lambda: redis.info("persistence")["aof_buffer_length"] == 0, "the append-only file's last write")
        running.store.kill()
        running.start_store()
        running.wait_ready()
        assert httpx.get(f"{running.url}/policies/kept").json() == kept
        assert httpx.get(f"{running.url}/policies/gone").status_code == 404
        assert predict(running.url, "멍청이", policy="kept").json()["classification"] == "denied"
        redis = running.redis()
        lasting = {key.decode() for key in redis.scan_iter("kobert:policy:*") if redis.ttl(key) == -1}
        assert {key.split(":")[2] for key in lasting} == {"board1", "board2", "kept"}

        file.write_text("[board2]\n")
        running.api.kill(signal.SIGTERM)
        running.api.start()
        running.wait_ready()
        wait_until(lambda: len(listed()) == 2, "the new file")
        assert listed() == [("board2", True, "POLICIES_FILE"), ("kept", False, "everybody")]


def test_versions_of_a_file_are_kept_and_given_back_as_the_file_has_them(short_tmp: Path, bundle: Path) -> None:
    file = short_tmp / "policies.toml"
    file.write_text("[board]\nthresholds = {curse = 0.7}\n")
    with running_stack(short_tmp, bundle, policies_file=file) as running:
        url = f"{running.url}/policies/board/versions"
        file.write_text("[board]\n")
        running.api.kill(signal.SIGTERM)
        running.api.start()
        running.wait_ready()
        wait_until(lambda: len(httpx.get(url).json()["data"]) == 2, "the second version")

        new, old = httpx.get(url).json()["data"]
        assert (new["thresholds"], old["thresholds"], old["updated_by"]) == ({}, {"curse": 0.7}, "POLICIES_FILE")
        pasted = httpx.get(f"{url}/{old['version']}", params={"format": "toml"}).text
        assert tomllib.loads(pasted) == {"board": {"thresholds": {"curse": 0.7}}}
        whole = httpx.get(f"{url}/{old['version']}").json()
        answer = httpx.put(f"{running.url}/policies/board", json=whole)
        assert answer.json()["error"]["code"] == "policy_read_only"


def test_the_command_line_sets_imports_tests_and_deletes_policies(stack: Stack, tmp_path: Path) -> None:
    def kobert(*words: str | Path) -> str:
        ended = run_command("policy", *words, KOBERT_URL=stack.url)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout.decode()

    words, whole = tmp_path / "words.txt", tmp_path / "rules.json"
    words.write_bytes("바보\n멍청이\n".encode("cp949"))

    kobert("set", "cli", "--strictness", "strict", "--threshold", "curse=0.7", "--deny", "멍청이", "--allow", "게이머")
    kobert("import", "cli", words, "--label", "banned", "--match", "part")
    whole.write_text(kobert("show", "cli"))
    shown = httpx.get(f"{stack.url}/policies/cli").json()
    assert (shown["strictness"], shown["thresholds"]) == ("strict", {"curse": 0.7})
    assert [(entry["term"], entry["label"]) for entry in shown["deny"]] == [("멍청이", "denied"), ("바보", "banned")]

    table = kobert("test", "cli", "이 바보야", "게이머")
    assert "banned" in table
    assert "deny 바보" in table
    assert "allow 게이머" in table
    kobert("set", "cli", "--remove", "바보")
    assert [entry["term"] for entry in httpx.get(f"{stack.url}/policies/cli").json()["deny"]] == ["멍청이"]
    kobert("set", "cli", "--file", whole)
    assert httpx.get(f"{stack.url}/policies/cli").json()["deny"] == shown["deny"]
    assert "cli" in kobert("list")
    assert "바보" in kobert("show", "cli", "--hits")
    kobert("delete", "cli")
    assert httpx.get(f"{stack.url}/policies/cli").status_code == 404


def test_older_versions_are_kept_and_one_can_be_restored(stack: Stack) -> None:
    first = put(stack, "history", **RULES).json()
    second = put(stack, "history", deny=["바보"]).json()
    put(stack, "history", deny=["바보"])  # the same again is no version

    url = f"{stack.url}/policies/history/versions"
    page = httpx.get(url).json()
    assert page["current"] == second["version"]
    assert [one["version"] for one in page["data"]] == [second["version"], first["version"]]
    assert page["data"][0]["updated_by"] == "everybody"
    old = httpx.get(f"{url}/{first['version']}").json()
    assert old == first
    restored = httpx.put(f"{stack.url}/policies/history", json=old, headers={"If-Match": f'"{second["version"]}"'})
    assert restored.json()["deny"] == first["deny"]
    assert len(httpx.get(url).json()["data"]) == 3
    assert httpx.get(f"{url}/999999").status_code == 404
    assert httpx.get(f"{stack.url}/policies/none/versions").status_code == 404


def test_a_deleted_policy_can_be_restored(stack: Stack) -> None:
    version = put(stack, "deleted", deny=["바보"]).json()["version"]
    httpx.delete(f"{stack.url}/policies/deleted")

    page = httpx.get(f"{stack.url}/policies/deleted/versions").json()
    assert (page["current"], [one["version"] for one in page["data"]]) == (None, [version])
    old = httpx.get(f"{stack.url}/policies/deleted/versions/{version}").json()
    assert httpx.put(f"{stack.url}/policies/deleted", json=old).status_code == 201
    with stack.redis() as redis:
        assert redis.ttl("kobert:policy-versions:deleted") == -1
    httpx.delete(f"{stack.url}/policies/deleted")
    with stack.redis() as redis:
        assert 0 < redis.ttl("kobert:policy-versions:deleted") <= 30 * 86_400


def test_rules_that_were_tried_leave_with_the_answer_unless_they_became_a_policy(stack: Stack) -> None:
    tried = {"rules": {"deny": ["시험말"]}, "texts": ["시험말"]}
    with stack.redis() as redis:
        answer = httpx.post(f"{stack.url}/policies/draft/try", json=tried).json()
        assert "denied" in answer["data"][0]["now"]["labels"]
        assert not list(redis.scan_iter("kobert:policy:draft:*"))

        put(stack, "draft", deny=["시험말"])
        assert httpx.post(f"{stack.url}/policies/draft/try", json=tried).is_success
        assert [redis.ttl(key) for key in redis.scan_iter("kobert:policy:draft:*")] == [-1]
        httpx.delete(f"{stack.url}/policies/draft")
        assert httpx.post(f"{stack.url}/policies/draft/try", json=tried).is_success
        assert [redis.ttl(key) > 0 for key in redis.scan_iter("kobert:policy:draft:*")] == [True]
