"""Files and batches of OpenAI's newest client, from the upload to the output file."""

import io
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types import Batch

from tests.support.doors import BAD, CLEAN, HEADERS, KEY, OTHER_KEY, plain_verdicts, sample_texts
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

ENDED = {"completed", "failed", "expired", "cancelled"}


@pytest.fixture(scope="module")
def client(service: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=KEY, max_retries=0) as opened:
        yield opened


def line(custom_id: str, given: object, **fields: object) -> str:
    request = {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/moderations",
        "body": {"model": "omni-moderation-latest", "input": given},
    }
    return json.dumps({**request, **fields}, ensure_ascii=False)


def upload(client: openai.OpenAI, lines: Sequence[str]) -> str:
    content = io.BytesIO("\n".join(lines).encode())
    return client.files.create(file=("requests.jsonl", content), purpose="batch").id


def start(client: openai.OpenAI, lines: Sequence[str], **fields: Any) -> Batch:
    return client.batches.create(
        input_file_id=upload(client, lines), endpoint="/v1/moderations", completion_window="24h", **fields
    )


def finish(client: openai.OpenAI, batch: Batch) -> Batch:
    wait_until(lambda: client.batches.retrieve(batch.id).status in ENDED, "the batch's end")
    return client.batches.retrieve(batch.id)


def output(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id is not None
    return [json.loads(row) for row in client.files.content(file_id).text.splitlines()]


def assert_every_line_once(client: openai.OpenAI, service: Stack, texts: list[str]) -> None:
    batch = finish(client, start(client, [line(f"request-{at}", text) for at, text in enumerate(texts)]))
    rows = output(client, batch.output_file_id)
    results = [row["response"]["body"]["results"][0] for row in rows]

    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed) == (len(texts), len(texts))
    assert batch.error_file_id is None
    assert [row["custom_id"] for row in rows] == [f"request-{at}" for at in range(len(texts))]
    assert {row["response"]["status_code"] for row in rows} == {200}
    for first in range(0, len(texts), 1_000):
        plain = plain_verdicts(service, texts[first : first + 1_000])
        found = results[first : first + 1_000]
        assert [each["classification"] for each in found] == [each["classification"] for each in plain]


def test_two_hundred_lines_come_back_as_they_went_in(client: openai.OpenAI, service: Stack) -> None:
    assert_every_line_once(client, service, sample_texts(200))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_lines_come_back_as_they_went_in(client: openai.OpenAI, service: Stack) -> None:
    texts = [f"{text} {round_}" for round_ in range(10) for text in sample_texts(1_000)]
    assert len(texts) == 10_000
    assert_every_line_once(client, service, texts)


def test_a_line_without_a_text_is_in_the_error_file_with_a_reply_of_its_own(client: openai.OpenAI) -> None:
    lines = [line("good", BAD), line("blank", " "), line("number", 7), line("part", [{"type": "text", "text": CLEAN}])]
    batch = finish(client, start(client, lines, metadata={"board": "1"}))
    rows = output(client, batch.output_file_id)
    errors = {row["custom_id"]: row["response"] for row in output(client, batch.error_file_id)}

    assert batch.metadata == {"board": "1"}
    assert batch.request_counts is not None
    assert batch.request_counts.failed == 2
    assert {row["custom_id"]: row["response"]["body"]["results"][0]["flagged"] for row in rows} == {
        "good": True,
        "part": False,
    }
    assert {name: (row["status_code"], row["body"]["error"]["code"]) for name, row in errors.items()} == {
        "blank": (400, "empty_text"),
        "number": (400, "not_a_string"),
    }
    assert batch.output_file_id is not None
    file = client.files.retrieve(batch.output_file_id)
    assert (file.bytes, file.purpose) == (len(client.files.content(file.id).content), "batch_output")


@pytest.mark.parametrize(
    ("lines", "code", "at"),
    [
        ([line("a", CLEAN), "{"], "invalid_json_line", 2),
        ([line("a", CLEAN), line("a", CLEAN)], "duplicate_custom_id", 2),
        ([line("a", CLEAN, url="/v1/chat/completions")], "invalid_url", 1),
        ([line("a", CLEAN, method="GET")], "invalid_json_line", 1),
        ([line("a", CLEAN, body={"input": CLEAN, "model": "gpt-9"})], "model_not_found", 1),
        ([line("a", [CLEAN, BAD])], "invalid_input", 1),
        ([line("a", "")], "invalid_input", None),
        ([""], "empty_file", None),
    ],
)
def test_a_faulty_file_makes_a_failed_batch_that_names_the_line(
    client: openai.OpenAI, lines: list[str], code: str, at: int | None
) -> None:
    batch = start(client, lines)

    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert [(error.code, error.line) for error in batch.errors.data] == [(code, at)]
    assert client.batches.retrieve(batch.id) == batch
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


def test_batches_and_files_are_listed_newest_first_a_page_at_a_time(client: openai.OpenAI) -> None:
    files = [upload(client, [line(str(at), CLEAN)]) for at in range(3)]
    batches = [
        client.batches.create(input_file_id=file, endpoint="/v1/moderations", completion_window="24h").id
        for file in files
    ]

    assert [file.id for file in client.files.list(limit=2)][:3] == files[::-1]
    assert [batch.id for batch in client.batches.list(limit=2)][:3] == batches[::-1]


def test_a_deleted_file_is_gone_and_the_batch_of_it_goes_on(client: openai.OpenAI) -> None:
    batch = start(client, [line("a", CLEAN)])
    assert client.files.content(batch.input_file_id).text == line("a", CLEAN)
    assert client.files.delete(batch.input_file_id).deleted

    for find in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            find(batch.input_file_id)
    done = finish(client, batch)
    assert done.status == "completed"
    assert done.output_file_id is not None
    with pytest.raises(openai.ConflictError, match="DELETE /jobs/job_"):
        client.files.delete(done.output_file_id)


def test_nobody_sees_the_files_and_batches_of_another_key(client: openai.OpenAI, service: Stack) -> None:
    batch = finish(client, start(client, [line("a", CLEAN)]))
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=OTHER_KEY, max_retries=0) as other:
        for find, name in (
            (other.batches.retrieve, batch.id),
            (other.batches.cancel, batch.id),
            (other.files.retrieve, batch.input_file_id),
            (other.files.content, batch.output_file_id),
        ):
            with pytest.raises(openai.NotFoundError):
                find(str(name))
        assert batch.id not in [each.id for each in other.batches.list()]
        assert batch.input_file_id not in [each.id for each in other.files.list()]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"files": {"file": ("a.jsonl", b"{}")}, "data": {"purpose": "fine-tune"}}, "purpose must be 'batch'"),
        ({"files": {"file": ("a.jsonl", b"{}")}}, "purpose must be 'batch'"),
        ({"files": {"other": ("a.jsonl", b"{}")}, "data": {"purpose": "batch"}}, "the form has no file"),
        ({"json": {"purpose": "batch"}}, "send the file in a multipart form"),
    ],
)
def test_an_upload_that_is_no_batch_file_is_refused(service: Stack, form: dict, words: str) -> None:
    answer = httpx.post(f"{service.url}/v1/files", headers=HEADERS, **form)

    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_a_batch_needs_a_file_an_endpoint_and_a_window_that_there_are(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no file-none"):
        client.batches.create(input_file_id="file-none", endpoint="/v1/moderations", completion_window="24h")
    with pytest.raises(openai.BadRequestError, match="endpoint must be /v1/moderations"):
        client.batches.create(input_file_id="file-none", endpoint="/v1/embeddings", completion_window="24h")
    with pytest.raises(openai.NotFoundError, match="there is no batch_none"):
        client.batches.retrieve("batch_none")


def test_a_cancelled_batch_has_the_states_of_a_job(echo_bundle: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, echo_pass_s=0.2, job_chunk_rows=10, api_keys=KEY) as service,
        openai.OpenAI(base_url=f"{service.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        batch = start(client, [line(str(at), f"글 {at}") for at in range(2_000)])
        wait_until(lambda: (client.batches.retrieve(batch.id).request_counts or batch).completed > 0, "a line's end")  # type: ignore[union-attr]
        assert client.batches.cancel(batch.id).status in {"cancelling", "cancelled"}
        done = finish(client, batch)
        rows = output(client, done.output_file_id)

        assert done.status == "cancelled"
        assert done.cancelled_at is not None
        assert done.cancelled_at <= time.time() + 1
        assert done.request_counts is not None
        assert len(rows) == done.request_counts.completed < 2_000
        expiring = [key for key in service.redis().scan_iter("kobert:*") if service.redis().ttl(key) == -1]
        assert not [key for key in expiring if b":files:" in key or b":batches:" in key]


def test_a_request_for_a_batch_holds_all_the_metadata_that_is_taken_and_not_megabytes(
    client: openai.OpenAI, service: Stack
) -> None:
    asked = {"input_file_id": upload(client, [line("a", CLEAN)]), "endpoint": "/v1/moderations"}

    def answer(metadata: dict[str, str]) -> httpx.Response:
        body = json.dumps({**asked, "completion_window": "24h", "metadata": metadata})
        headers = {**HEADERS, "content-type": "application/json"}
        return httpx.post(f"{service.url}/v1/batches", content=body, headers=headers)

    most = {f"{place:02}".ljust(64, "🙂"): "🙂" * 512 for place in range(16)}
    taken = answer(most)
    assert taken.status_code == 200, taken.text
    assert taken.json()["metadata"] == most

    refused = answer({"a": "b" * 300_000})
    assert refused.status_code == 413
    assert "metadata has 16 short entries at most" in refused.json()["error"]["message"]
