"""Policies through real processes: set by one API, followed by all APIs and workers, and still there afterwards."""

import os
import signal
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.command import run_command
from tests.support.echo import write_echo_bundle
from tests.support.jobs import finish, result_lines
from tests.support.stack import Part, Stack, free_port, running_stack, wait_until

pytestmark = pytest.mark.integration

LABELS = ["curse", "insult", "hate"]
# The echo engine's scores are from 0.5 to 0.98.
LEVELS = {
    "lenient": dict.fromkeys(LABELS, 0.95),
    "standard": dict.fromkeys(LABELS, 0.85),
    "strict": dict.fromkeys(LABELS, 0.6),
}
TEXTS = [f"{number}번째 댓글" for number in range(40)]
RULES: dict[str, Any] = {
    "strictness": "strict",
    "thresholds": {"curse": 0.9},
    "labels": ["curse", "insult"],
    "deny": ["멍청이", {"term": "섹스", "label": "sexual", "match": "part"}],
    "allow": ["게이머"],
    "mask": {"labels": ["curse"], "char": "#", "keep_first": True},
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "levelled"
    return write_echo_bundle(
        folder, name="levelled", problem_type="multi_label_classification", labels=LABELS, strictness=LEVELS
    )


@pytest.fixture(scope="module")
def stack(bundle: Path) -> Iterator[Stack]:
    """Two workers; `other_api` is a second API beside its own."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), bundle, workers=2, job_chunk_rows=10, job_poll_s=0.5) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def other_api(stack: Stack) -> Iterator[str]:
    port = free_port()
    api = Part(stack.api.command, {**stack.environment, "PORT": str(port)}, stack.folder / "api-2.log")
    api.start()
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: _answers(url), "readiness of the second API")
    yield url
    api.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False


def put(stack: Stack, name: str, headers: dict[str, str] | None = None, **rules: Any) -> httpx.Response:
    return httpx.put(f"{stack.url}/policies/{name}", json=rules, headers=headers)


def predict(url: str, text: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{url}/predict", json={"text": text, **body}, timeout=60)


def error_of(answer: httpx.Response) -> tuple[int, str | None, str]:
    error = answer.json()["error"]
    return answer.status_code, error["param"], error["message"]


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


def test_a_text_is_judged_by_its_policy_and_the_reply_says_so(stack: Stack) -> None:
    version = put(stack, "board", **RULES).json()["version"]
    turns = {"curse": 0.9, "insult": 0.6}

    results = httpx.post(f"{stack.url}/predict", json={"texts": TEXTS, "policy": "board"}, timeout=60)

    assert results.headers["x-policy"] == f"board@{version}"
    assert results.headers["x-model-revision"] == stack.info()["model"]["revision"]
    for verdict in results.json()["results"]:
        counting = [label for label, turn in turns.items() if verdict["scores"][label] >= turn]
        assert sorted(verdict["labels"]) == sorted(counting or ["clean"])
        assert verdict["policy"] == {"name": "board", "version": version}
        assert verdict["matches"] == []


def test_what_a_request_says_goes_over_what_its_policy_says(stack: Stack) -> None:
    put(stack, "board", **RULES)
    own = {"strictness": "lenient", "thresholds": {"insult": 0.7}}

    body = {"texts": TEXTS, "policy": "board", **own}
    for verdict in httpx.post(f"{stack.url}/predict", json=body, timeout=60).json()["results"]:
        turns = {"curse": 0.9, "insult": 0.7}
        counting = [label for label, turn in turns.items() if verdict["scores"][label] >= turn]
        assert sorted(verdict["labels"]) == sorted(counting or ["clean"])


def test_a_denied_term_counts_and_an_allowed_one_is_not_read(stack: Stack) -> None:
    put(stack, "board", **RULES)

    denied = predict(stack.url, "이 멍청이들아", policy="board").json()
    named = predict(stack.url, "유니섹#스", policy="board").json()
    alone = predict(stack.url, "게이머!", policy="board").json()
    beside = predict(stack.url, "게이머 안녕", policy="board").json()

    assert (denied["classification"], denied["confidence"], denied["labels"][0]) == ("denied", 1.0, "denied")
    assert (denied["scores"]["denied"], denied["scores"]["clean"]) == (1.0, 0.0)
    assert denied["matches"] == [
        {"list": "deny", "term": "멍청이", "label": "denied", "start": 2, "end": 5, "text": "멍청이"}
    ]
    assert (named["classification"], named["matches"][0]["text"]) == ("sexual", "섹#스")
    assert (alone["classification"], alone["matches"][0]["list"]) == ("clean", "allow")
    assert beside["scores"] == predict(stack.url, "    안녕").json()["scores"]


def test_without_a_policy_nothing_of_it_is_in_the_reply(stack: Stack) -> None:
    answer = predict(stack.url, "멍청이")

    assert list(answer.json()) == ["text", "classification", "confidence", "scores", "labels", "windows"]
    assert answer.headers["x-policy"] == "none"


def test_an_unknown_policy_is_refused_by_name(stack: Stack) -> None:
    put(stack, "board", **RULES)
    for name, complaint in (("bord", "there is no policy 'bord'"), (3, "the name of a policy"), ("", "no policy")):
        status, param, message = error_of(predict(stack.url, "글", policy=name))
        assert (status, param) == (422, "policy")
        assert complaint in message


def test_details_say_what_a_verdict_rests_on(stack: Stack) -> None:
    put(stack, "board", **RULES)
    model = stack.info()["model"]

    plain = predict(stack.url, "글", details=True).json()
    ruled = predict(stack.url, "글", details=True, policy="board").json()

    assert plain["details"] == {
        "model": "levelled",
        "revision": model["revision"],
        "policy": None,
        "strictness": "standard",
        "thresholds": LEVELS["standard"],
    }
    assert ruled["details"]["policy"] == ruled["policy"]
    assert ruled["details"]["strictness"] == "strict"
    assert ruled["details"]["thresholds"] == {**LEVELS["strict"], "curse": 0.9}
    assert error_of(predict(stack.url, "글", details="yes"))[:2] == (422, "details")


def test_a_policy_counts_how_often_its_entries_fire(stack: Stack) -> None:
    put(stack, "counted", deny=["바보", "멍청이"], allow=["게이머"])
    for text in ("바보", "바보야 바보", "게이머", "안녕"):
        predict(stack.url, text, policy="counted")

    def hits() -> list[tuple[str, int]]:
        entries = httpx.get(f"{stack.url}/policies/counted/hits").json()["data"]
        return [(entry["term"], entry["hits"]) for entry in entries]

    wait_until(lambda: hits() == [("바보", 2), ("게이머", 1), ("멍청이", 0)], "the hits")
    assert httpx.get(f"{stack.url}/policies/none/hits").status_code == 404


def test_a_policy_put_through_one_api_acts_through_the_other_on_every_worker(stack: Stack, other_api: str) -> None:
    put(stack, "shared", deny=["하나"])
    wait_until(lambda: predict(other_api, "하나", policy="shared").status_code == 200, "the policy", 5)

    version = put(stack, "shared", deny=["둘"]).json()["version"]
    wait_until(lambda: predict(other_api, "둘", policy="shared").headers["x-policy"] == f"shared@{version}", "it", 5)

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

        time.sleep(1.5)  # an append-only file is written once a second
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


def test_a_job_keeps_the_version_that_it_began_with_and_its_rows_say_what_fired(stack: Stack) -> None:
    version = put(stack, "jobs", deny=["하나"], labels=["curse"]).json()["version"]
    texts = ["하나는 둘", "둘", *TEXTS]
    rows = "".join(f"{text}\n" for text in texts).encode()
    query = {"policy": "jobs", "details": "true", "format": "txt"}
    # While the workers stand still, the policy is replaced and deleted.
    for worker in stack.workers:
        os.kill(worker.pid, signal.SIGSTOP)
    try:
        job = httpx.post(f"{stack.url}/jobs", params=query, content=rows).json()
        put(stack, "jobs", deny=["둘"])
        httpx.delete(f"{stack.url}/policies/jobs")
    finally:
        for worker in stack.workers:
            os.kill(worker.pid, signal.SIGCONT)
    job = finish(stack, job)

    lines = result_lines(stack, job)

    assert job["policy"] == {"name": "jobs", "version": version}
    assert [line["classification"] for line in lines[:2]] == ["denied", lines[1]["labels"][0]]
    assert [(match["term"], match["text"]) for match in lines[0]["matches"]] == [("하나", "하나")]
    assert (lines[0]["scores"]["denied"], lines[1]["matches"]) == (1.0, [])
    assert {label for line in lines[1:] for label in line["labels"]} <= {"curse", "clean"}
    assert {line["details"]["revision"] for line in lines} == {stack.info()["model"]["revision"]}
    assert lines[0]["details"]["policy"] == {"name": "jobs", "version": version}
    table = httpx.get(f"{stack.url}/jobs/{job['id']}/results", params={"format": "csv"}).text.splitlines()
    assert table[0].endswith(",error,matches,details")
    assert '""term"":""하나""' in table[1]


def test_a_job_with_an_unknown_policy_is_refused(stack: Stack) -> None:
    for name in ("none", "jobs:results"):
        answer = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"], "policy": name})
        assert error_of(answer)[:2] == (422, "policy")


def test_a_denied_term_is_a_span_and_the_policy_says_how_to_mask(stack: Stack) -> None:
    put(stack, "masked", deny=["멍청이"], mask={"labels": ["denied"], "char": "#", "keep_first": True})

    verdict = predict(stack.url, "😀 멍청이들아", policy="masked", explain=True, mask=True, offsets="utf16").json()

    assert verdict["spans"][0] == {"label": "denied", "start": 3, "end": 6, "text": "멍청이", "share": 1.0}
    assert verdict["masked"] == "😀 멍##들아"
    assert (verdict["matches"][0]["start"], verdict["matches"][0]["end"]) == (3, 6)


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


def test_rules_are_tried_without_being_stored_or_counted(stack: Stack) -> None:
    put(stack, "tried", deny=["하나"])
    body = {"rules": {"deny": ["둘"]}, "texts": ["하나", "둘", ""]}
    before = httpx.get(f"{stack.url}/policies").json()

    one, two, blank = httpx.post(f"{stack.url}/policies/tried/try", json=body, timeout=60).json()["data"]

    assert (one["was"]["classification"], two["now"]["classification"]) == ("denied", "denied")
    assert "denied" not in one["now"]["labels"] + two["was"]["labels"]
    assert blank["error"]["code"] == "empty_text"
    unnamed = httpx.post(f"{stack.url}/policies/unheard-of/try", json={**body, "texts": ["둘"]}, timeout=60).json()
    assert unnamed["data"][0]["now"]["classification"] == "denied"
    assert httpx.get(f"{stack.url}/policies").json() == before
    predict(stack.url, "하나", policy="tried")

    def hits() -> int:
        return int(httpx.get(f"{stack.url}/policies/tried/hits").json()["data"][0]["hits"])

    wait_until(lambda: hits() > 0, "the hit")
    assert hits() == 1
    assert httpx.post(f"{stack.url}/policies/tried/try", json={"rules": [], "texts": ["둘"]}).status_code == 422
    assert httpx.post(f"{stack.url}/policies/tried/try", json={"rules": {}, "texts": []}).status_code == 422
