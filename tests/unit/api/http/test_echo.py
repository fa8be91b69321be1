import json
from typing import Any

import pytest

from api.http.echo import MAX_ECHO_VALUES, echo_of, quotable


def nested(depth: int) -> list[Any]:
    item: list[Any] = []
    for _ in range(depth - 1):
        item = [item]
    return item


@pytest.mark.parametrize("item", [7, None, True, 1.5, "글", [1, ["글"]], {"글": [1, {"a": None}]}, 10**30, nested(100)])
def test_an_item_comes_back_as_it_was_sent(item: object) -> None:
    assert echo_of(item) == item


@pytest.mark.parametrize(
    "item",
    [
        "\ud83d",
        ["글", ["\ud83d"]],
        {"\ud83d": 1},
        {"a": {"b": "\udc00"}},
        "a" * 20_000 + "\ud83d",
        float("inf"),
        [float("nan")],
        nested(256),
        nested(900),
        [1] * (MAX_ECHO_VALUES + 1),
        [[1] * 1_000] * 1_000,
        dict.fromkeys(map(str, range(5_000)), 1),
    ],
    ids=lambda item: str(item)[:20].encode("utf-8", "replace").decode(),
)
def test_what_json_cannot_hold_or_nobody_would_read_does_not(item: object) -> None:
    assert echo_of(item) is None


def test_a_quotation_is_unicode_and_short() -> None:
    assert quotable("a\ud83db") == "a?b"
    assert len(quotable("가" * 100_000)) < 2_100
    assert json.dumps(quotable("글")) == json.dumps("글")
