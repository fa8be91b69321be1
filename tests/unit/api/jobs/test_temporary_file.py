from pathlib import Path
from typing import Any

import httpx
import pytest

from api.jobs.temporary_file import TemporaryFileResponse


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ({}, 200, b"0123456789"),
        ({"Range": "bytes=2-4"}, 206, b"234"),
        ({"Range": "bytes=abc"}, 200, b"0123456789"),
        ({"Range": "pages=1"}, 200, b"0123456789"),
        ({"Range": "bytes=10-"}, 416, None),
        ({"Range": "bytes=10-", "If-Range": '"another"'}, 200, b"0123456789"),
    ],
)
async def test_the_file_is_gone_whatever_part_of_it_was_asked_for(
    asked: dict[str, str], status: int, content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "results.xlsx"
    path.write_bytes(b"0123456789")

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(TemporaryFileResponse(path)), base_url="http://a"
    ) as client:
        answer = await client.get("/", headers=asked)

    assert answer.status_code == status
    if content is None:
        assert answer.json()["error"]["code"] == "range_not_satisfiable"
        assert answer.headers["content-range"] == "bytes */10"
    else:
        assert answer.content == content
    assert not path.exists()


async def test_the_file_is_gone_where_sending_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "results.xlsx"
    path.write_bytes(b"0123456789")

    async def fail(_message: Any) -> None:
        raise OSError("the connection is gone")

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": "2.4"}}
    with pytest.raises(OSError, match="the connection is gone"):
        await TemporaryFileResponse(path)(scope, receive, fail)
    assert not path.exists()
