import random

import pytest

from shared.errors import MalformedRequestError
from shared.policies.nesting import MAX_NESTED, too_many_nested
from shared.policies.parsing import parse_policy


def test_the_shorter_of_those_that_end_in_one_another_are_kept() -> None:
    assert too_many_nested({"a": 1, "ba": 1, "cba": 1, "xa": 1, "ab": 1}, most=2) == {"cba": 0}


def test_entries_of_the_same_letters_count_too() -> None:
    assert too_many_nested({"a": 5, "ba": 1}, most=3) == {"a": 3, "ba": 0}


def test_no_place_of_any_text_has_more_than_the_most() -> None:
    draw = random.Random(1)
    for _ in range(200):
        entries = {"".join(draw.choices("ab", k=draw.randint(1, 6))): draw.randint(1, 3) for _ in range(30)}
        cut = too_many_nested(entries, most=4)
        kept = {text: cut.get(text, count) for text, count in entries.items()}
        for _ in range(50):
            place = "".join(draw.choices("ab", k=8))
            assert sum(count for text, count in kept.items() if place.endswith(text)) <= 4


@pytest.mark.parametrize(
    "deny",
    [
        ["가" * count for count in range(1, 14)],
        ["A" * count for count in range(1, 7)] + ["a" * count for count in range(1, 8)],
        [{"term": "가", "label": f"l{number}"} for number in range(13)],
    ],
)
def test_a_policy_with_more_is_refused_by_name(deny: list[object]) -> None:
    parse_policy({"deny": deny[:MAX_NESTED]}, 100)
    with pytest.raises(MalformedRequestError, match="more than 12 entries of deny and allow are, or end in, '"):
        parse_policy({"deny": deny}, 100)
