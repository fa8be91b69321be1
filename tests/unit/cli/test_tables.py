"""Tables whose columns line up on a terminal."""

import unicodedata

import wcwidth

from cli.tables import fit, printable, table


def test_columns_line_up_though_hangul_is_twice_as_wide() -> None:
    names = ["댓글.csv", "a.csv", unicodedata.normalize("NFD", "댓글.csv"), "👩‍👩‍👧.csv", "mixed 한글.csv"]
    lines = table(["FILE", "ROWS"], [[name, str(number)] for number, name in enumerate(names)])
    starts = {wcwidth.width(line[: line.rindex(" ") + 1]) for line in lines}
    assert len(starts) == 1


def test_numbers_line_up_at_their_right() -> None:
    assert table(["A", "ROWS"], [["x", "1"], ["y", "1,000"]], right=frozenset({1})) == [
        "A   ROWS",
        "x      1",
        "y  1,000",
    ]


def test_a_long_text_is_cut_to_its_cells_and_not_inside_a_letter() -> None:
    assert fit("가나다라마", 10) == "가나다라마"
    assert fit("가나다라마", 9) == "가나다라…"
    assert fit("가나다라마", 8) == "가나다…"


def test_a_text_cannot_write_to_the_terminal() -> None:
    assert printable("a\x1b[31mb\x07\tc\r\nd\u202ee\ud83d") == "a[31mb c de�"
