"""The API's words in those of the command line: a user who typed `--text-column` is not told of `text_column=`."""

import re

_FLAGS = {
    "header=false": "--no-header",
    "partial=true": "--partial",
    "only=errors": "--errors",
    "safe=true": "--safe",
}
_OPTIONS = {
    "text_column": "--text-column",
    "id_column": "--id-column",
    "label_columns": "--label-columns",
    "label_column": "--label-column",
    "policy_column": "--policy-column",
    "note_column": "--note-column",
    "column": "--column",
    "format": "--format",
    "encoding": "--encoding",
    "sheet": "--sheet",
    "header_row": "--header-row",
    "strictness": "--strictness",
    "thresholds": "--threshold",
    "mask_char": "--mask-char",
    "mask_keep_first": "--mask-keep-first",
    "mask_labels": "--mask-label",
}
# A bare word is an option's name only where it cannot be anything else.
_UNMISTAKABLE = ("text_column", "id_column", "header_row", "label_column", "mask_char", "mask_labels")
_FLAG = re.compile("|".join(rf"\b{re.escape(flag)}\b" for flag in _FLAGS))
_GIVEN = re.compile(rf"(?<![\w-])({'|'.join(_OPTIONS)})=(\S*)")
_BARE = re.compile(rf"(?<![\w-])({'|'.join(_UNMISTAKABLE)})(?!\w)")
_QUOTED = re.compile(rf"([`'\"])({'|'.join(_OPTIONS)})\1")


def in_cli_words(message: str) -> str:
    """An error of the API, with its options spelled as the command line spells them."""
    message = _FLAG.sub(lambda found: _FLAGS[found[0]], message)
    message = _GIVEN.sub(lambda found: f"{_OPTIONS[found[1]]} {found[2]}".rstrip(), message)
    message = _QUOTED.sub(lambda found: _OPTIONS[found[2]], message)
    return _BARE.sub(lambda found: _OPTIONS[found[1]], message)
