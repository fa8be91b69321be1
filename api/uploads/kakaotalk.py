"""Reads chats that KakaoTalk saved as text: one row per message, with the sender and the time in columns of their own.

Classified as one text, `[김철수] [오후 3:02] ㅅㅂ` was clean. KakaoTalk for Mac saves csv, which is read as any csv.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from api.uploads.columns import find_column, find_text_column
from api.uploads.decoding import CutText, too_long
from api.uploads.options import UploadOptions
from api.uploads.rows import bad_row, make_row
from shared.jobs.records import Row

COLUMNS = ("날짜", "시각", "이름", "메시지")
# Lines with something in them, among which is the date of the export, as the second or so.
_HEAD_LINES = 4
_SAVED = re.compile(r"\s*(?:저장한 날짜|Date Saved)\s*:.*\d")
_TIME = r"(?:오[전후] ?\d{1,2}:\d\d|\d{1,2}:\d\d(?: ?[AP]M)?)"
_DAY = r"(?:\d{4}년 \d{1,2}월 \d{1,2}일|\d{4}\. ?\d{1,2}\. ?\d{1,2}\.|[A-Z][a-z]{2,8} \d{1,2}, \d{4})"
# On a computer: [name] [time] text, below a line with the day.
_COMPUTER = re.compile(rf"(?P<day>)\[(?P<name>.{{1,100}}?)\] \[(?P<time>{_TIME})\] ?(?P<text>.*)")
# On a phone: day time, name : text.
_PHONE = re.compile(rf"(?:(?P<day>{_DAY})(?: at)? )?(?P<time>{_TIME}), (?P<name>.{{1,100}}?) : ?(?P<text>.*)")
_DAY_LINE = re.compile(rf"-{{5,}} (?P<ruled>.{{6,40}}) -{{5,}}|(?P<bare>{_DAY} .요일|[A-Z][a-z]{{5,8}}, {_DAY})")
# Nobody's message: who came or left, and the time of it alone.
_PHONE_EVENT = re.compile(rf"(?:{_DAY}(?: at)? )?{_TIME}(?:[,:] .*)?")
_EVENT = re.compile(r".{1,100}님[이을과] .{0,100}?(?:들어왔|나갔|내보냈|초대했|가렸)습니다\.?")


@dataclass
class _Message:
    line: int
    cells: list[str]
    texts: list[str] = field(default_factory=list)
    chars: int = 0

    def add(self, text: str, max_chars: int) -> None:
        """Go on with a line; nothing is kept of a message that is too long anyway."""
        if self.chars <= max_chars:
            self.texts.append(text)
            self.chars += len(text) + 1


class KakaoTalkChat:
    """Iterates the messages once. `columns`, `text_at` and `id_column` are as those of a table."""

    def __init__(self, lines: Iterator[str], ahead: Sequence[str], options: UploadOptions, max_text_chars: int) -> None:
        self.columns = list(COLUMNS)
        self.text_at = find_text_column(self.columns, options.text_column, may_be_row=False)
        wanted = options.id_column
        self.id_column = None if wanted is None else self.columns[find_column(self.columns, wanted, "id_column")]
        self.header_row: int | None = None
        self._lines = lines
        # A message may quote a line of the other kind.
        self._pattern = _layout(ahead) or _COMPUTER
        self._max_text_chars = max_text_chars
        self._day = ""

    def __iter__(self) -> Iterator[Row]:
        message: _Message | None = None
        for number, line in enumerate(self._lines, start=1):
            bare = line.rstrip("\r\n")
            found = self._pattern.fullmatch(bare)
            if message is not None and (found is not None or isinstance(line, CutText)):
                yield self._row(message)
                message = None
            if isinstance(line, CutText):
                yield bad_row(number, "text_too_long", too_long(f"line {number}"), line)
            elif found is not None:
                message = _Message(number, [found["day"] or self._day, found["time"], found["name"]])
                message.add(found["text"], self._max_text_chars)
            elif not self._is_no_text(bare) and message is not None:
                message.add(bare, self._max_text_chars)
        if message is not None:
            yield self._row(message)

    def _is_no_text(self, line: str) -> bool:
        """Whether a line belongs to no message; a day counts for those that follow."""
        day = _DAY_LINE.fullmatch(line.strip())
        if day is not None:
            self._day = day["ruled"] or day["bare"]
            return True
        return _EVENT.fullmatch(line) is not None or (
            self._pattern is _PHONE and _PHONE_EVENT.fullmatch(line) is not None
        )

    def _row(self, message: _Message) -> Row:
        cells: list[str | None] = [*message.cells, "\n".join(message.texts).strip()]
        text, cells[self.text_at] = cells[self.text_at], None
        return make_row(message.line, text, cells, self._max_text_chars)


def is_chat(ahead: Sequence[str]) -> bool:
    """Whether the first lines are those of a saved chat: they say when it was saved, or most of them are messages."""
    pattern = _layout(ahead)
    filled = [line.rstrip("\r\n") for line in ahead if line.strip()]
    if pattern is None or any(map(_SAVED.match, filled[:_HEAD_LINES])):
        return pattern is not None
    are_messages = [pattern.fullmatch(line) is not None for line in filled]
    starts_so = are_messages[0] or _DAY_LINE.fullmatch(filled[0]) is not None
    return starts_so and sum(are_messages) > 1 and 2 * sum(are_messages) > len(filled)


def _layout(ahead: Sequence[str]) -> re.Pattern[str] | None:
    """The pattern of the first message."""
    bare = (line.rstrip("\r\n") for line in ahead)
    found = (pattern for line in bare for pattern in (_COMPUTER, _PHONE) if pattern.fullmatch(line))
    return next(found, None)
