"""What input files and batches of one key may take of the store."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.doors import HEADERS, KEY, OTHER_KEY
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.integration

MOST_BYTES = 40_000
ENDPOINT = "/v1/moderations"


@pytest.fixture(scope="module")
def small(echo_bundle: Path) -> Iterator[Stack]:
    keys = f"{KEY},{OTHER_KEY}"
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, max_file_bytes_per_key=MOST_BYTES, api_keys=keys) as stack,
    ):
        yield stack


@pytest.fixture(autouse=True)
def empty(small: Stack) -> None:
    """Each test starts without a file."""
    with small.redis() as redis:
        for name in redis.scan_iter("kobert:*"):
            if name.split(b":")[1] in {b"files", b"batches"}:
                redis.delete(name)


def put(stack: Stack, seed: int, headers: dict[str, str] = HEADERS) -> httpx.Response:
    """Send a file that takes some 15 kB, however it is compressed."""
    content = Random(seed).randbytes(15_000)
    return httpx.post(f"{stack.url}/v1/files", headers=headers, data={"purpose": "batch"}, files={"file": content})


def test_files_of_one_key_are_bounded_in_bytes_until_it_deletes_some(small: Stack) -> None:
    """Sixty files of 8 MB filled the store, and nobody else's job was accepted for a week."""
    answers = [put(small, seed) for seed in range(3)]
    other = put(small, 4, {"Authorization": f"Bearer {OTHER_KEY}"})
    httpx.delete(f"{small.url}/v1/files/{answers[0].json()['id']}", headers=HEADERS)
    again = put(small, 5)

    assert [answer.status_code for answer in answers] == [200, 200, 413]
    assert "MAX_FILE_BYTES_PER_KEY" in answers[2].json()["error"]["message"]
    assert "DELETE /v1/files" in answers[2].json()["error"]["message"]
    assert (other.status_code, again.status_code) == (200, 200)
    with small.redis() as redis:
        kept = [name for name in redis.scan_iter("kobert:files:*") if redis.type(name) == b"hash"]
        assert sum(b":file-" in name for name in kept) == 3  # nothing is left of the one that was refused
        assert all(redis.ttl(name) > 0 for name in kept)


def test_a_full_share_is_told_before_the_body_is_read(small: Stack) -> None:
    with small.redis() as redis:
        for seed in range(2):
            put(small, seed)
        (sizes,) = redis.scan_iter("kobert:files:sizes:*")
        redis.hset(sizes, redis.hkeys(sizes)[0], MOST_BYTES)
    head = b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    head += f"Authorization: Bearer {KEY}\r\nContent-Length: 8000000\r\n\r\n".encode()
    address = urlsplit(small.url)
    with socket.create_connection((address.hostname, address.port), 5) as connection:
        connection.sendall(head)
        assert connection.recv(1000).split(b" ")[1] == b"413"


def test_files_that_have_expired_count_no_more(small: Stack) -> None:
    with small.redis() as redis:
        first, second = (put(small, seed).json()["id"] for seed in range(2))
        assert put(small, 3).status_code == 413
        (expired,) = redis.scan_iter(f"kobert:files:*:{first}")
        redis.delete(expired)
        assert put(small, 4).status_code == 200
        listed = httpx.get(f"{small.url}/v1/files", headers=HEADERS).json()["data"]
        assert second in [file["id"] for file in listed]
        assert len(listed) == 2


def test_metadata_of_a_batch_is_bounded_even_where_its_file_is_faulty(small: Stack) -> None:
    """Eight megabytes of it were kept with each of a thousand failed batches, and a hundred were listed at once."""
    file = httpx.post(
        f"{small.url}/v1/files", headers=HEADERS, data={"purpose": "batch"}, files={"file": b"no JSON"}
    ).json()["id"]
    asked = {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": "24h"}

    def start(metadata: dict[str, str]) -> httpx.Response:
        body = {**asked, "metadata": metadata}
        return httpx.post(f"{small.url}/v1/batches", headers=HEADERS, json=body)

    refused = [start({"a": "b" * 100_000}), start({"a" * 100: "b"}), start({str(n): "b" for n in range(17)})]

    assert [answer.status_code for answer in refused] == [400] * 3
    assert start({"a": "b"}).json()["status"] == "failed"


def test_batches_count_with_the_files(small: Stack) -> None:
    file = put(small, 1).json()["id"]
    asked = {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": "24h"}
    asked["metadata"] = {str(n): "b" * 500 for n in range(16)}
    answers = [httpx.post(f"{small.url}/v1/batches", headers=HEADERS, json=asked) for _ in range(5)]

    statuses = [answer.status_code for answer in answers]
    assert statuses[0] == 200
    assert statuses[-1] == 413
