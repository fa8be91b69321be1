"""Finds the column or field that holds the text, as people name it, and refuses what is not plain."""

import re
import unicodedata
from collections.abc import Sequence

from api.http.echo import is_unicode
from shared.errors import MalformedRequestError, TooLargeError

# Every column costs in every row of the results.
MAX_COLUMNS = 512
MAX_HEADER_CHARS = 1 << 15
_MAX_PLACE_DIGITS = 6
_SHOWN = 20
_SHOWN_CHARS = 40

# A file whose text column has one of these names need not say so.
_USUAL = frozenset(
    {"text", "comment", "comments", "content", "contents", "message", "body", "review", "sentence", "document"}
    # YouTube's.
    | {"textoriginal"}
    | {"텍스트", "댓글", "내용", "본문", "문장", "리뷰", "후기", "메시지", "글"}
)
# Where none of those is there: names made of such words, written together.
_ENGLISH = "comment|review|chat|message|post|body|content|reply|feedback|tweet|utterance|sentence|document|text"
_KOREAN = (
    "댓글|덧글|대댓글|답글|리뷰|후기|상품평|한줄평|채팅|대화|발화|메시지|메세지|쪽지|게시글|게시물|문의|의견"
    "|코멘트|문장|본문|텍스트|글|내용|원문"
)
_LIKELY = re.compile(
    rf"(?:user|customer|product|raw|original|full)?(?:(?:{_ENGLISH})s?){{1,3}}"
    rf"|(?:사용자|고객|상품|구매|원본|전체|주관식|자유|기타|추가)?(?:{_KOREAN})(?:상세)?(?:내용|본문|텍스트|원문|글|메시지)?"
)
_BETWEEN_WORDS = re.compile(r"[\s_.:()\[\]\-]+")
# The only column of a file is its text; but a sentence as its name is rather the first text of a file without a header.
_SENTENCE = re.compile(r"[.!?~,;…]|[ㅋㅎㅠㅜ]{2}|(?:\S+\s+){3}")
_MAX_NAME_CHARS = 30
# As "No." is.
_MAX_SHORT_NAME_CHARS = 4


def find_text_column(names: Sequence[str], wanted: str | None, *, may_be_row: bool = True) -> int:
    """The place of the text column: as named, or with a usual name, or the only one.

    `may_be_row`: nobody has said that these are names, so they may be the cells of a first row.

    Raises:
        MalformedRequestError: it is not plain which one.
    """
    if wanted is not None:
        return find_column(names, wanted, "text_column")
    found = guess_text_name(names)
    if found is None:
        found = _only_column(names, may_be_row=may_be_row)
    if found is None:
        raise MalformedRequestError(
            f"which column holds the text? Say text_column=NAME or text_column=NUMBER; there are {shown(names)}. "
            "If another line has the names of the columns, say header_row=NUMBER; if none has, say header=false",
            param="text_column",
        )
    return found


def guess_text_name(names: Sequence[str]) -> int | None:
    """The place of the one name that a text usually has; None when there is none, or more than one."""
    keys = [_key(name) for name in names]
    usual = [place for place, key in enumerate(keys) if key in _USUAL]
    likely = usual or [place for place, key in enumerate(keys) if _LIKELY.fullmatch(key)]
    return likely[0] if len(likely) == 1 else None


def find_column(names: Sequence[str], wanted: str, option: str) -> int:
    """The place of a column that the client named, by name or by number from 1.

    Raises:
        MalformedRequestError: there is none, or more than one of that name.
    """
    for same in (lambda name: name, _key):
        places = [place for place, name in enumerate(names) if same(name) == same(wanted)]
        if len(places) == 1:
            return places[0]
        if places:
            numbers = " and ".join(str(place + 1) for place in places[:_SHOWN])
            raise MalformedRequestError(
                f"{option}={wanted[:_SHOWN_CHARS]}: columns {numbers} have that name; "
                f"say which by its number, {option}={places[0] + 1}",
                param=option,
            )
    if wanted.isdecimal() and len(wanted) <= _MAX_PLACE_DIGITS and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise MalformedRequestError(
        f"{option}={wanted[:_SHOWN_CHARS]}: there is no such column; there are {shown(names)}", param=option
    )


def has_usual_name(names: Sequence[str]) -> bool:
    """Whether one of the names is that of a text, and of nothing else."""
    return any(_key(name) in _USUAL for name in names)


def has_column(names: Sequence[str], wanted: str) -> bool:
    """Whether the client can mean one of these columns, or several of one name."""
    try:
        find_column(names, wanted, "text_column")
    except MalformedRequestError:
        return any(_key(name) == _key(wanted) for name in names)
    return True


def may_be_name(cell: str) -> bool:
    """Whether a cell can be the name of a column: a short word, no figure and no sentence."""
    name = cell.strip()
    if not name or len(name) > _MAX_NAME_CHARS or not (name == "#" or any(map(str.isalpha, name))):
        return False
    return len(name) <= _MAX_SHORT_NAME_CHARS or _SENTENCE.search(name) is None


def check_columns(names: Sequence[str], line: int = 1) -> None:
    """Refuse a header that is too wide, or that cannot be decoded.

    Raises:
        TooLargeError: more columns or longer names than are read.
        MalformedRequestError: a name holds bytes of another encoding.
    """
    if len(names) > MAX_COLUMNS:
        raise TooLargeError(f"the file has {len(names):,} columns; at most {MAX_COLUMNS} are read")
    if sum(map(len, names)) > MAX_HEADER_CHARS:
        raise TooLargeError(f"the names of the columns have more than {MAX_HEADER_CHARS:,} characters")
    for place, name in enumerate(names, start=1):
        if not is_unicode(name):
            raise MalformedRequestError(
                f"line {line}: the name of column {place} holds bytes that are not in the file's encoding; "
                "save the file as UTF-8, or say encoding=utf-8 or encoding=cp949",
                param="encoding",
            )


def shown(names: Sequence[str]) -> str:
    """Column names with their numbers, for an error message."""
    listed = [f"{place} {name[:_SHOWN_CHARS]!r}" for place, name in enumerate(names[:_SHOWN], start=1)]
    more = [f"and {len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return ", ".join(listed + more) or "none"


def _only_column(names: Sequence[str], *, may_be_row: bool) -> int | None:
    filled = [place for place, name in enumerate(names) if name.strip()]
    if len(filled) != 1:
        return None
    name = names[filled[0]].strip()
    is_name = len(name) <= _MAX_NAME_CHARS and _SENTENCE.search(name) is None
    return filled[0] if is_name or not may_be_row else None


def _key(name: str) -> str:
    """A name as it is compared: composed Hangul, small letters, without spaces and signs between words."""
    return _BETWEEN_WORDS.sub("", unicodedata.normalize("NFKC", name).casefold()).removeprefix("\ufeff")
