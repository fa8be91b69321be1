"""The result cache through real processes: repeated texts are not read again, and nothing that may change is kept."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles.text.normalise import CURRENT
from tests.support.echo import write_echo_bundle
from tests.support.metrics import samples, value
from tests.support.stack import Stack, free_port, running_stack, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def stack(metrics_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    bundle = write_echo_bundle(tmp_path_factory.mktemp("bundles") / "echo", normaliser=CURRENT)
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), bundle, result_cache_mb=4, worker_metrics_port=metrics_port) as running,
    ):
        yield running


def predict(stack: Stack, *texts: str, **fields: Any) -> tuple[list[dict[str, Any]], int]:
    """The results, and how many of them came from the cache."""
    answer = httpx.post(f"{stack.url}/predict", json={"texts": texts, **fields}, timeout=60)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results, int(answer.headers["x-cached-texts"])


def test_a_repeated_text_has_its_own_words_and_the_same_scores_and_is_counted(stack: Stack, metrics_port: int) -> None:
    url = f"http://127.0.0.1:{metrics_port}"
    before = samples(url)
    (first,), cached_first = predict(stack, "오늘도 같은 인사")
    (second,), cached_second = predict(stack, "오늘도  같은 인사")
    after = samples(url)

    assert (cached_first, cached_second) == (0, 1)
    assert (first["text"], second["text"]) == ("오늘도 같은 인사", "오늘도  같은 인사")
    assert first["scores"] == second["scores"]
    name = "kobert_worker_cache_texts_total"
    assert value(after, name, source="stored") - value(before, name, source="stored") == 1
    assert value(after, name, source="model") - value(before, name, source="model") == 1
    assert 0 < value(after, "kobert_worker_cache_bytes") <= 4 * 1024 * 1024


def test_many_clients_with_one_text_have_it_read_once(stack: Stack, metrics_port: int) -> None:
    name = "kobert_worker_cache_texts_total"
    before = value(samples(f"http://127.0.0.1:{metrics_port}"), name, source="model")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: predict(stack, "모두 같은 말"), range(64)))
    after = value(samples(f"http://127.0.0.1:{metrics_port}"), name, source="model")

    assert len({str(results) for results, _ in answers}) == 1
    assert sum(cached for _, cached in answers) == 63
    assert after - before == 1


def test_a_correction_wins_over_the_cache_and_its_end_does_too(stack: Stack) -> None:
    text = "사람이 고친 글"
    (as_model_said,), _ = predict(stack, text)
    assert predict(stack, text)[1] == 1
    made = httpx.post(f"{stack.url}/corrections", json={"text": text, "classification": "hate"}).json()
    wait_until(lambda: predict(stack, text)[0][0].get("corrected") is True, "the correction")

    (corrected,), cached = predict(stack, text)
    assert corrected["classification"] == "hate"
    assert cached == 0

    httpx.delete(f"{stack.url}/corrections/{made['id']}")
    wait_until(lambda: not predict(stack, text)[0][0].get("corrected"), "the end of the correction")
    assert predict(stack, text)[0][0]["scores"] == as_model_said["scores"]


def test_a_new_version_of_a_policy_counts_though_the_text_is_cached(stack: Stack) -> None:
    text = "정책이 바뀌는 사과나무 글"
    url = f"{stack.url}/policies/board"
    assert httpx.put(url, json={"deny": ["바나나"]}).status_code < 300
    (before,), _ = predict(stack, text, policy="board")
    (again,), cached = predict(stack, text, policy="board")
    assert cached == 1
    assert before == again

    assert httpx.put(url, json={"deny": ["사과나무"]}).status_code < 300
    wait_until(lambda: predict(stack, text, policy="board")[0][0]["policy"] != before["policy"], "the new version")

    (after,), _ = predict(stack, text, policy="board")
    assert [match["term"] for match in after["matches"]] == ["사과나무"]
    assert predict(stack, text)[0][0]["scores"] == before["scores"]


def test_a_text_whose_spans_are_wanted_is_read(stack: Stack) -> None:
    text = "어디가 문제인지 보여 줄 글"
    predict(stack, text)
    (explained,), cached = predict(stack, text, explain=True)

    assert cached == 0
    assert "spans" in explained
