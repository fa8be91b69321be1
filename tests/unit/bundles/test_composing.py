import sys
import unicodedata

from bundles.text.composing import _END_OF_MARKS


def test_nothing_beyond_what_is_scanned_combines_or_is_joined() -> None:
    beyond = [chr(code) for code in range(_END_OF_MARKS, sys.maxunicode + 1)]
    assert not [char for char in beyond if unicodedata.combining(char)]
    assert not [char for char in beyond if len(unicodedata.normalize("NFD", char)) > 1]
