"""`explain` and `mask` through a running service with the included model: /predict, and jobs in every result format."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.jobs import finish, result_lines, results
from tests.support.stack import Stack, running_stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TEXTS = ["😀 아 씨.발 또 비 온다", "오늘 날씨 참 좋네요", "=야 병신아 물 끓는다"]
MASKED = ["😀 아 ### 또 비 온다", "오늘 날씨 참 좋네요", "=야 ### 물 끓는다"]
ASKED = {"explain": True, "mask": True, "mask_char": "#"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), "default", worker_module="worker.main", job_poll_s=0.5) as running,
    ):
        yield running


def predict(stack: Stack, **body: Any) -> Any:
    answer = httpx.post(f"{stack.url}/predict", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_reply_names_the_words_at_fault_and_hides_them(stack: Stack) -> None:
    answers = predict(stack, texts=TEXTS, **ASKED)["results"]
    for text, masked, answer in zip(TEXTS, MASKED, answers, strict=True):
        assert all(text[span["start"] : span["end"]] == span["text"] for span in answer["spans"])
        assert {span["label"] for span in answer["spans"]} == set(answer["labels"]) - {"clean"}
        assert answer["masked"] == masked


def test_offsets_may_count_utf_16_units(stack: Stack) -> None:
    (span, *_) = predict(stack, text=TEXTS[0], explain=True, offsets="utf16")["spans"]
    assert (span["start"], span["end"], span["text"]) == (5, 8, "씨.발")


def test_who_asks_for_nothing_gets_the_reply_as_it_was(stack: Stack) -> None:
    assert list(predict(stack, text=TEXTS[0])) == [
        "text",
        "classification",
        "confidence",
        "scores",
        "labels",
        "windows",
    ]


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("explain", "yes", "explain must be true or false"),
        ("mask", 1, "mask must be true or false"),
        ("mask_char", "**", "mask_char must be one character"),
        ("mask_char", "\u200b", "mask_char must be one character"),
        ("mask_labels", [], "mask_labels must be an array of labels"),
        ("mask_labels", ["curze"], "has no label"),
        ("offsets", "bytes", "offsets must be codepoints or utf16"),
    ],
)
def test_an_option_with_a_wrong_value_is_named(stack: Stack, field: str, value: object, complaint: str) -> None:
    answer = httpx.post(f"{stack.url}/predict", json={"text": "글", "mask": True, field: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == field
    assert complaint in answer.json()["error"]["message"]


def test_a_job_has_spans_and_masks_in_every_format(stack: Stack) -> None:
    job = finish(stack, httpx.post(f"{stack.url}/jobs", json={"texts": TEXTS, **ASKED}).json())
    said = predict(stack, texts=TEXTS, **ASKED)["results"]

    assert (job["explain"], job["mask"], job["mask_char"]) == (True, True, "#")
    lines = result_lines(stack, job)
    assert [(line["spans"], line["masked"]) for line in lines] == [(one["spans"], one["masked"]) for one in said]
    rows = list(csv.DictReader(io.StringIO(results(stack, job, format="csv").content.decode("utf-8-sig"))))
    assert [(json.loads(row["spans"]), row["masked"]) for row in rows] == [
        (one["spans"], one["masked"]) for one in said
    ]


def test_a_sheet_and_a_parquet_file_have_the_same_columns(stack: Stack) -> None:
    openpyxl, parquet = pytest.importorskip("openpyxl"), pytest.importorskip("pyarrow.parquet")
    query = {"explain": "true", "mask": "true", "mask_labels": "curse,insult", "format": "txt"}
    job = finish(stack, httpx.post(f"{stack.url}/jobs", params=query, content="\n".join(TEXTS).encode()).json())
    lines = result_lines(stack, job)

    sheet = openpyxl.load_workbook(io.BytesIO(results(stack, job, format="xlsx").content)).active
    names, *rows = sheet.iter_rows(values_only=True)
    by_name = [dict(zip(names, row, strict=True)) for row in rows]
    table = parquet.read_table(io.BytesIO(results(stack, job, format="parquet").content)).to_pylist()
    for found in (by_name, table):
        assert [(json.loads(row["spans"]), row["masked"]) for row in found] == [
            (line["spans"], line["masked"]) for line in lines
        ]
