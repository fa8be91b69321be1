import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.texts import check_text
from shared.errors import TextRejectedError


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "empty_text"),
        (" \n\t\u3000", "empty_text"),
        ("\u200b\u200d\ufeff", "empty_text"),
        ("\x00", "empty_text"),
        ("\u3164", "empty_text"),
        ("\ud800", "invalid_unicode"),
        ("좋아요\udfff", "invalid_unicode"),
        ("가" * 11, "text_too_long"),
        (None, "not_a_string"),
        (7, "not_a_string"),
        (True, "not_a_string"),
        (["가"], "not_a_string"),
        ({"text": "가"}, "not_a_string"),
    ],
)
def test_what_is_no_text_is_refused_under_the_name_of_its_item(value: object, code: str) -> None:
    with pytest.raises(TextRejectedError, match=r"texts\[3\]") as caught:
        check_text(value, "texts[3]", max_text_chars=10)
    assert (caught.value.code, caught.value.param) == (code, "texts[3]")


@pytest.mark.parametrize("text", ["ㅋ", "👍", "각", "a\x00b", "\u200b가", "가" * 10, "🏳️‍🌈"])
def test_whatever_shows_something_is_a_text(text: str) -> None:
    assert check_text(text, "text", max_text_chars=10) is text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp"]), min_size=1, max_size=20))
def test_valid_unicode_with_something_to_see_is_accepted(text: str) -> None:
    if text.strip("\u115f\u1160\u3164\uffa0\u2800"):
        assert check_text(text, "text", max_text_chars=20) == text
