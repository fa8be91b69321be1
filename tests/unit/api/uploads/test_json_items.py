"""How a JSON document is split into items as it streams in."""

import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.uploads.json_items import MAX_BRACKETS, array_items, items_of, json_items
from shared.errors import MalformedRequestError, TooLargeError

VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab"\\[]{},: 글\n', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='a"[,\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def in_pieces(document: bytes, size: int) -> Iterator[bytes]:
    return (document[at : at + size] for at in range(0, len(document), size))


@given(values=st.lists(VALUES, min_size=1, max_size=6), size=st.integers(1, 40))
def test_the_items_of_an_array_are_its_values_wherever_the_pieces_end(values: list, size: int) -> None:
    document = msgspec.json.encode(values)

    items = list(array_items(in_pieces(document, size)))

    assert [msgspec.json.decode(item) for item in items] == values


@given(values=st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), min_size=2, max_size=5),
       size=st.integers(1, 40), between=st.sampled_from([b"", b" ", b" , "]))  # fmt: skip
def test_objects_side_by_side_are_items_wherever_the_pieces_end(values: list, size: int, between: bytes) -> None:
    document = b" " + between.join(map(msgspec.json.encode, values))

    items = list(json_items(in_pieces(document, size), document))

    assert [msgspec.json.decode(item) for item in items] == values


@given(document=st.text(alphabet='a"\\[]{},', max_size=40).map(str.encode), size=st.integers(1, 10))
def test_what_is_no_json_is_split_alike_wherever_the_pieces_end(document: bytes, size: int) -> None:
    def split(pieces: Iterator[bytes]) -> list[bytes] | None:
        try:
            return list(array_items(pieces))
        except MalformedRequestError:
            return None

    assert split(in_pieces(document, size)) == split(in_pieces(document, 1))


@pytest.mark.parametrize("start", [b"[", b'{"a":['])
def test_brackets_without_end_are_given_up(start: bytes) -> None:
    document = start + b"[" * (MAX_BRACKETS + 10)
    with pytest.raises(TooLargeError, match="brackets"):
        list(json_items(iter([document]), start))


def test_a_document_with_more_flat_rows_than_that_is_read() -> None:
    rows = b'{"text":"a"},' * (MAX_BRACKETS // 100) + b'{"text":"a"}'
    document = b'{"data":[' + rows + b"]}"
    assert list(json_items(iter([document]), document[:10])) == [document]


def test_a_large_array_is_taken_apart_item_by_item() -> None:
    array = msgspec.json.decode(b"[" + b"[]," * 400_000 + b"[]]", type=msgspec.Raw)
    tracemalloc.start()
    try:
        items = items_of(array)
        first = next(items)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert first == "[]"
    assert peak < 1 << 20
    assert sum(1 for _ in items) == 400_000
