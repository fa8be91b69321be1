"""The cascade through real processes: certain texts are not read by the model, and whoever asks for more is."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles.text.normalise import CURRENT
from tests.support.cascades import cascade_for, put_cascade
from tests.support.echo import write_echo_bundle
from tests.support.metrics import samples, value
from tests.support.stack import Stack, free_port, running_stack, wait_until

pytestmark = pytest.mark.integration

LABELS = ["curse", "insult", "hate", "threat"]
NAME = "kobert_worker_cascade_texts_total"


def write_bundle(folder: Path, *, with_cascade: bool) -> Path:
    """A bundle with three levels; its cascade is certain of texts without `!` and `?`."""
    path = write_echo_bundle(
        folder,
        problem_type="multi_label_classification",
        labels=LABELS,
        thresholds=dict.fromkeys(LABELS, 0.5),
        strictness={"strict": dict.fromkeys(LABELS, 0.2)},
        normaliser=CURRENT,
    )
    return put_cascade(path, cascade_for(path, logits=[-3.0, -2.0, -4.0, -5.0])) if with_cascade else path


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def stack(metrics_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "echo", with_cascade=True)
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), bundle, cascade="on", result_cache_mb=4, worker_metrics_port=metrics_port) as made,
    ):
        yield made


def predict(url: str, text: str, **fields: Any) -> tuple[dict[str, Any], int]:
    """The result, and how many texts came from the result cache."""
    answer = httpx.post(f"{url}/predict", json={"text": text, **fields}, timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found, int(answer.headers["x-cached-texts"])


def counted(port: int) -> dict[str, float]:
    found = samples(f"http://127.0.0.1:{port}")
    return {outcome: value(found, NAME, outcome=outcome) for outcome in ("answered", "unsure", "exempt")}


def test_a_certain_text_is_answered_and_counted_and_shown_in_info(stack: Stack, metrics_port: int) -> None:
    before = counted(metrics_port)
    certain, _ = predict(stack.url, "plain words")
    predict(stack.url, "what?")
    after = counted(metrics_port)

    assert (certain["classification"], certain["labels"]) == ("clean", ["clean"])
    assert certain["confidence"] == max(certain["scores"].values()) >= 0.5
    assert {name: after[name] - before[name] for name in after} == {"answered": 1, "unsure": 1, "exempt": 0}

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = stack.info()["workers"][0]["cascade"]
        return found

    wait_until(lambda: shown()["answered"] == after["answered"], "the heartbeat with the figures")
    assert 0 < shown()["share"] < 1


def test_a_strict_request_is_read_by_the_model_though_the_answer_is_cached(stack: Stack, metrics_port: int) -> None:
    text = "some more words"
    certain, _ = predict(stack.url, text)
    again, cached = predict(stack.url, text)
    before = counted(metrics_port)
    strict, cached_strict = predict(stack.url, text, strictness="strict")
    after = counted(metrics_port)

    assert (cached, again["scores"]) == (1, certain["scores"])
    assert cached_strict == 0
    assert strict["scores"] != certain["scores"]
    assert after["exempt"] - before["exempt"] == 1
    assert predict(stack.url, text)[0]["scores"] == certain["scores"]


def test_thresholds_and_explanations_are_the_models(stack: Stack, metrics_port: int) -> None:
    before = counted(metrics_port)
    predict(stack.url, "words to explain", explain=True)
    predict(stack.url, "words to judge", thresholds={"curse": 0.4})
    after = counted(metrics_port)

    assert {name: after[name] - before[name] for name in after} == {"answered": 0, "unsure": 0, "exempt": 2}


def test_rows_of_a_job_are_answered_by_it(stack: Stack, metrics_port: int) -> None:
    before = counted(metrics_port)
    rows = [f"row of words {letter}" for letter in "abcdefgh"]
    job = httpx.post(f"{stack.url}/jobs", json={"texts": rows}).json()
    wait_until(lambda: httpx.get(f"{stack.url}/jobs/{job['id']}").json()["status"] == "completed", "the job")

    assert counted(metrics_port)["answered"] - before["answered"] == len(rows)


def test_a_model_without_a_cascade_is_served_and_the_log_says_so(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bare", with_cascade=False)
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), bundle, cascade="on") as made,
    ):
        assert predict(made.url, "plain words")[0]["scores"]
        assert made.info()["workers"][0]["cascade"] is None
        assert any("cascade_missing" in part.log.read_text() for part in made.workers)
