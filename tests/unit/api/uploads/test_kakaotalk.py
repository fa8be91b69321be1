"""Chats that KakaoTalk saved as text, on computers and phones."""

import msgspec
import pytest

from api.uploads.kakaotalk import COLUMNS
from shared.errors import MalformedRequestError
from tests.unit.api.test_upload_encodings import SETTINGS, read

COMPUTER = """동네 모임 님과 카카오톡 대화
저장한 날짜 : 2026-11-27 16:20:11

--------------- 2026년 11월 26일 목요일 ---------------
[홍길동] [오후 3:01] 안녕하세요
[김철수] [오후 3:02] ㅅㅂ 왜 이렇게 늦어
이영희님이 나갔습니다.
[박 민수/서울] [오후 3:04] 여러 줄로

[쓰는] 메시지 : 12:00, 가 : 나
--------------- 2026년 11월 27일 금요일 ---------------
[[공지] 방장] [오전 10:12] 이모티콘
"""
COMPUTER_ROWS = [
    (5, "2026년 11월 26일 목요일", "오후 3:01", "홍길동", "안녕하세요"),
    (6, "2026년 11월 26일 목요일", "오후 3:02", "김철수", "ㅅㅂ 왜 이렇게 늦어"),
    (8, "2026년 11월 26일 목요일", "오후 3:04", "박 민수/서울", "여러 줄로\n\n[쓰는] 메시지 : 12:00, 가 : 나"),
    (12, "2026년 11월 27일 금요일", "오전 10:12", "[공지] 방장", "이모티콘"),
]
ENGLISH = """모임 with KakaoTalk Chats
Date Saved : 2026-11-27 16:20:11

--------------- Thursday, November 26, 2026 ---------------
[Hong] [3:01 PM] hi
"""
ANDROID = """동네 모임 12 카카오톡 대화
저장한 날짜 : 2026년 11월 27일 오후 4:20


2026년 11월 26일 오후 3:01
2026년 11월 26일 오후 3:01, 홍길동 : 안녕하세요 : 둘
2026년 11월 26일 오후 3:03, 이영희님이 나갔습니다.
2026년 11월 26일 오후 3:04, 김철수 : 한 줄
[둘째] [오후 3:00] 줄
"""
IPHONE = """Talk_2026.11.27 13:01-1.txt
저장한 날짜 : 2026. 11. 27. 오후 11:01

2026년 11월 26일 목요일
2026. 11. 26. 오후 1:01, 나 : 안녕
2026. 11. 26. 오후 1:02: 상대님이 나님을 초대했습니다.
2026. 11. 26. 13:03, 상대 : 어 ㅋㅋ
"""
OLD_IPHONE = """테스트 님과 카카오톡 대화
저장한 날짜 : 2021년 12월 18일 오후 7:17

2021년 12월 18일 토요일
오후 8:36, 테스트 : ㅎㅇ
오후 8:37, 테스트님이 나갔습니다.
"""
DAY = "2026년 11월 26일"
CHATS = [
    pytest.param(COMPUTER, COMPUTER_ROWS, id="computer"),
    pytest.param(ENGLISH, [(5, "Thursday, November 26, 2026", "3:01 PM", "Hong", "hi")], id="english"),
    pytest.param(
        ANDROID,
        [
            (6, DAY, "오후 3:01", "홍길동", "안녕하세요 : 둘"),
            (8, DAY, "오후 3:04", "김철수", "한 줄\n[둘째] [오후 3:00] 줄"),
        ],
        id="android",
    ),
    pytest.param(
        IPHONE,
        [(5, "2026. 11. 26.", "오후 1:01", "나", "안녕"), (7, "2026. 11. 26.", "13:03", "상대", "어 ㅋㅋ")],
        id="iphone",
    ),
    pytest.param(OLD_IPHONE, [(5, "2021년 12월 18일 토요일", "오후 8:36", "테스트", "ㅎㅇ")], id="old iphone"),
]


@pytest.mark.parametrize(("chat", "expected"), CHATS)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_message_is_a_row_and_its_sender_and_time_are_columns(
    chat: str, expected: list[tuple[object, ...]], codec: str, end: str
) -> None:
    rows, source = read(chat.replace("\n", end).encode(codec), "txt")
    found = [(row.line, *msgspec.json.decode(row.fields)[:3], row.text) for row in rows]
    assert found == [(*cells[:4], cells[4]) for cells in expected]
    assert [msgspec.json.decode(row.fields)[3] for row in rows] == [None] * len(rows)
    described = source.describe()
    assert (described["columns"], described["text_column"]) == (list(COLUMNS), "메시지")
    assert (described["format"], described["text_at"]) == ("txt", 3)


@pytest.mark.parametrize("start", ["", "--------------- 2026년 11월 26일 목요일 ---------------\n"])
def test_a_part_of_a_chat_that_was_copied_is_one_too(start: str) -> None:
    messages = "[홍길동] [오후 3:01] 안녕\n둘째 줄\n[김철수] [오후 3:02] 네\n[이] [오후 3:03] 응"
    rows, _ = read((start + messages).encode(), "txt")
    assert [row.text for row in rows] == ["안녕\n둘째 줄", "네", "응"]
    assert msgspec.json.decode(rows[0].fields)[0] == start.strip("-\n ")


def test_columns_of_a_chat_are_named_as_those_of_a_table_and_its_lines_can_still_be_had() -> None:
    rows, source = read(COMPUTER.encode(), "txt", text_column="이름", id_column="시각")
    assert (rows[0].text, source.describe()["id_column"]) == ("홍길동", "시각")
    with pytest.raises(MalformedRequestError, match="there is no such column"):
        read(COMPUTER.encode(), "txt", text_column="댓글")
    assert len(read(COMPUTER.encode(), "txt", format="txt")[0]) == COMPUTER.replace("\n\n", "\n").count("\n")


def test_a_message_that_is_too_long_or_cannot_be_read_costs_itself_alone() -> None:
    long = "\n".join(["가" * 100] * 40)
    chat = COMPUTER.replace("안녕하세요", long).encode() + b"[a] [3:01 PM] \xff\xfe\n[b] [3:02 PM] \n[c] [3:03 PM] ok\n"
    rows, _ = read(chat, "txt")
    assert SETTINGS.max_text_chars < len(long)
    codes = [row.error.code if row.error else None for row in rows]
    assert codes == ["text_too_long", None, None, None, "invalid_encoding", "empty_text", None]
    assert len(rows[0].text or "") <= SETTINGS.max_text_chars + 300
    assert rows[1].line == 45


@pytest.mark.parametrize(
    "text",
    [
        "[홍길동] [오후 3:01] 안녕\n그리고\n또\n[김철수] [오후 3:02] 네\n",
        "어제 이런 말을 들었습니다\n[홍길동] [오후 3:01] 안녕\n[김철수] [오후 3:02] 네\n",
        "저장한 날짜 : 2026-11-27\n첫 줄\n둘째 줄\n",
        "저장한 날짜가 언제인가요?\n[홍길동] [오후 3:01] 안녕\n",
    ],
)
def test_lines_that_only_look_like_a_chat_stay_lines(text: str) -> None:
    rows, source = read(text.encode(), "txt")
    assert len(rows) == text.count("\n")
    assert source.describe().get("columns") is None
