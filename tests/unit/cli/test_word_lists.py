from pathlib import Path

import pytest

from cli.word_lists import Word, add_entries, read_word_list
from shared.errors import KobertError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("text", ["# 목록\n멍청이\n바보\n\n", "멍청이,바보", "멍청이, 바보\r\n"])
def test_a_plain_list_is_read_in_both_encodings(tmp_path: Path, text: str, encoding: str) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes(text.encode(encoding))

    assert read_word_list(file, None) == [Word("멍청이"), Word("바보")]


def test_a_table_says_the_list_the_label_and_how_to_match(tmp_path: Path) -> None:
    file = tmp_path / "words.csv"
    file.write_text("단어,label,match,list\n섹스,sexual,part,\n게이머,,,allow\n바보\n")

    assert read_word_list(file, None) == [
        Word("섹스", label="sexual", match="part"),
        Word("게이머", kind="allow"),
        Word("바보"),
    ]


@pytest.mark.parametrize("start", ["", "sep=;\r\n", "# 목록\n"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949"])
def test_a_table_may_have_semicolons_and_excels_line_that_says_so(tmp_path: Path, start: str, encoding: str) -> None:
    file = tmp_path / "words.csv"
    file.write_bytes(f"{start}단어;label\r\n섹스;sexual\r\n가,나;\r\n".encode(encoding))
    assert read_word_list(file, None) == [Word("섹스", label="sexual"), Word("가,나")]
    file.write_bytes("label\t단어\nsexual\t섹스\n".encode(encoding))
    assert read_word_list(file, None) == [Word("섹스", label="sexual")]


def test_a_semicolon_in_a_plain_list_belongs_to_its_word(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("바보;멍청이\nㅡ;ㅡ, 메롱\n")
    assert read_word_list(file, None) == [Word("바보;멍청이"), Word("ㅡ;ㅡ"), Word("메롱")]


def test_a_list_without_words_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("# nothing\n\n")

    with pytest.raises(KobertError, match="has no words"):
        read_word_list(file, None)
    with pytest.raises(KobertError, match="cannot be read"):
        read_word_list(tmp_path / "missing.txt", None)


def test_a_term_that_is_there_is_not_added_again() -> None:
    entries = ["바보", {"term": "멍청이", "label": "x"}]

    assert add_entries(entries, [{"term": "바보"}, {"term": "멍청이"}, {"term": "새말"}, {"term": "새말"}]) == 1
    assert entries[2:] == [{"term": "새말"}]
