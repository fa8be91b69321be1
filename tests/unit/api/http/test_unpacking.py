import gzip
import zlib

import pytest

from api.http.unpacking import STEP_BYTES, Unpacker, coding_of
from shared.errors import MalformedRequestError, TooLargeError, UnsupportedMediaError

BODY = '{"text": "글"}'.encode() * 100


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def unpacked(coding: str, packed: bytes, max_bytes: int = 10_000, step: int = 1_000_000) -> bytes:
    unpacker = Unpacker(coding, max_bytes)
    for start in range(0, len(packed), step):
        sizes = list(unpacker.feed(packed[start : start + step]))
        assert all(size <= STEP_BYTES for size in sizes)
    return bytes(unpacker.end())


@pytest.mark.parametrize("step", [1, 7, 1_000_000])
@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("gzip", gzip.compress(BODY[:500], mtime=0) + gzip.compress(BODY[500:], mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("deflate", zlib.compress(BODY, 0)),
    ],
)
def test_a_packed_body_is_unpacked_however_it_comes(coding: str, packed: bytes, step: int) -> None:
    assert unpacked(coding, packed, step=step) == BODY


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", BODY),
        ("gzip", zlib.compress(BODY)),
        ("gzip", gzip.compress(BODY, mtime=0)[:-3]),
        ("gzip", gzip.compress(BODY, mtime=0) + b"rest"),
        ("gzip", b""),
        ("gzip", gzip.compress(BODY, mtime=0)[:20] + b"\xff" * 30),
        ("deflate", zlib.compress(BODY)[:-1]),
        ("deflate", zlib.compress(BODY) + b"rest"),
        ("deflate", b"\xff" * 20),
    ],
)
def test_a_body_that_is_not_so_packed_is_refused(coding: str, packed: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        unpacked(coding, packed)


def test_nothing_is_unpacked_beyond_the_bound() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    unpacker = Unpacker("gzip", 10_000)

    with pytest.raises(TooLargeError, match="10,000"):
        list(unpacker.feed(bomb))
    assert len(unpacker._unpacked) == 10_001
    assert unpacked("gzip", gzip.compress(b"0" * 10_000)) == b"0" * 10_000


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        (" GZip ", "gzip"),
        ("x-gzip", "gzip"),
        ("deflate", "deflate"),
    ],
)
def test_a_coding_is_known_by_its_names(header: str, coding: str | None) -> None:
    assert coding_of(header) == coding


@pytest.mark.parametrize("header", ["br", "zstd", "gzip, gzip", "compress", "x"])
def test_another_coding_is_refused(header: str) -> None:
    with pytest.raises(UnsupportedMediaError, match="gzip or deflate"):
        coding_of(header)


@pytest.mark.parametrize("size", [n * STEP_BYTES + more for n in (1, 2) for more in (-1, 0, 1, 100, 257)])
def test_a_body_that_fills_its_steps_is_whole(size: int) -> None:
    assert unpacked("gzip", gzip.compress(b"a" * size), 3 * STEP_BYTES) == b"a" * size
    assert unpacked("gzip", gzip.compress(b"a" * size), 3 * STEP_BYTES, step=1) == b"a" * size
