"""Bulk jobs through real processes: upload, chunks, workers, results."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.echo import echo_scores
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    """A shared stack for the tests that break nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, job_chunk_rows=50, job_poll_s=0.5) as running,
    ):
        yield running


def submit(stack: Stack, body: bytes, **query: str) -> dict:
    answer = httpx.post(f"{stack.url}/jobs", content=body, params=query, timeout=60)
    assert answer.status_code == 202, answer.text
    return answer.json()


def finish(stack: Stack, job: dict) -> dict:
    answer = httpx.get(f"{stack.url}/jobs/{job['id']}", params={"wait": 60}, timeout=90)
    assert answer.json()["status"] == "completed", answer.text
    return answer.json()


def results(stack: Stack, job: dict, **query: str) -> httpx.Response:
    answer = httpx.get(f"{stack.url}/jobs/{job['id']}/results", params=query, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


def test_texts_come_back_in_order_each_with_its_own_verdict(stack: Stack) -> None:
    texts = [f"{number}번째 댓글" for number in range(230)]

    answer = httpx.post(f"{stack.url}/jobs", json={"texts": texts})

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    done = finish(stack, answer.json())
    assert done["request_counts"] == {"total": 230, "completed": 230, "failed": 0}
    assert sum(done["label_counts"].values()) == 230
    lines = [json.loads(line) for line in results(stack, done).text.splitlines()]
    assert [line["text"] for line in lines] == texts
    assert [line["row"] for line in lines] == list(range(1, 231))
    assert all(line["scores"] == echo_scores(line["text"]) for line in lines)


def test_a_csv_comes_back_with_its_columns_quoted_line_feeds_and_emoji(stack: Stack) -> None:
    rows = [[str(n), f'말 "{n}"\n둘째 줄, 쉼표 🙂', "가게,둘"] for n in range(120)]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["번호", "댓글", "매장"], *rows])

    job = finish(stack, submit(stack, text.getvalue().encode(), format="csv"))

    body = results(stack, job).content.decode("utf-8-sig")
    header, *cells = csv.reader(io.StringIO(body, newline=""))
    assert header[:6] == ["번호", "댓글", "매장", "classification", "confidence", "labels"]
    assert [row[:3] for row in cells] == rows
    assert (job["encoding"], job["text_column"]) == ("utf-8", "댓글")
