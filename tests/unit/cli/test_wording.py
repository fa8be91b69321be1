"""Errors of the API, in the words of the command line."""

import pytest

from cli.wording import in_cli_words


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("which column holds the text? Say text_column=NAME; it has 'a'. If it is no header, say header=false",
         "which column holds the text? Say --text-column NAME; it has 'a'. If it is no header, say --no-header"),
        ("text_column=없는 열: there is no such column", "--text-column 없는 열: there is no such column"),
        ("say what it is with format= (csv, tsv)", "say what it is with --format (csv, tsv)"),
        ("say encoding=utf-8 or encoding=cp949", "say --encoding utf-8 or --encoding cp949"),
        ("ask for what is there with partial=true", "ask for what is there with --partial"),
        ("if so, say header_row=4, else say text_column=NUMBER",
         "if so, say --header-row 4, else say --text-column NUMBER"),
        ("header_row= is for csv, tsv and xlsx", "--header-row is for csv, tsv and xlsx"),
        ("sheet= is for xlsx; the file is csv", "--sheet is for xlsx; the file is csv"),
        ("thresholds=1 is wrong", "--threshold 1 is wrong"),
        ("Object contains unknown field `strictness`", "Object contains unknown field --strictness"),
        ("the fields are id_column, text_column", "the fields are --id-column, --text-column"),
        ("a format that nobody knows, my_format=x", "a format that nobody knows, my_format=x"),
        ("--text-column NAME", "--text-column NAME"),
    ],
)  # fmt: skip
def test_options_are_named_as_they_are_typed(said: str, expected: str) -> None:
    assert in_cli_words(said) == expected
