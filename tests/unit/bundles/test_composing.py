import sys
import unicodedata

import pytest

from bundles.text.composing import _END_OF_MARKS


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_nothing_beyond_what_is_scanned_combines_or_is_joined(form: str) -> None:
    beyond = [chr(code) for code in range(_END_OF_MARKS, sys.maxunicode + 1)]
    assert not [char for char in beyond if unicodedata.combining(char)]
    assert not [char for char in beyond if len(unicodedata.normalize(form, char)) > 1]
