"""Korean text encodings: the names that are accepted, and which of two readings of the same bytes is Korean.

Most files are UTF-8 or CP949. Bytes of one are often valid in the other and give nonsense there, so validity alone does
not decide: real Korean in CP949 is nearly all common Hangul, and misread UTF-8 is not.
"""

import codecs
import re

from shared.errors import MalformedRequestError

UTF8 = "utf-8"
CP949 = "cp949"
# In Korea euc-kr means CP949, also where a program says otherwise; the browsers' standard has it so too.
_CP949_NAMES = ("cp949", "949", "ms949", "uhc", "windows949", "xwindows949", "euckr", "ksc56011987", "ksc5601",
                "ksx1001", "korean")  # fmt: skip
_ENCODINGS = {
    **dict.fromkeys(("utf8", "utf8sig", "ascii", "usascii"), UTF8),
    **dict.fromkeys(_CP949_NAMES, CP949),
    **dict.fromkeys(("utf16", "utf16le", "utf16be", "utf32", "utf32le", "utf32be"), ""),
    **dict.fromkeys(("johab", "cp1361", "ms1361"), "johab"),
    **dict.fromkeys(("latin1", "iso88591", "cp1252", "windows1252"), "cp1252"),
}
_WIDE = {"utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be",
         "utf32": "utf-32", "utf32le": "utf-32-le", "utf32be": "utf-32-be"}  # fmt: skip
# Longest first: the mark of UTF-32 begins with that of UTF-16.
BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
LONGEST_BOM = 4
# Of the bytes of UTF-16 so many are zero, as those of its spaces and line ends.
MIN_ZERO_SHARE = 0.01
# Of the characters beyond ASCII that a line has, so many are common Hangul when its encoding is right.
MIN_KOREAN_SHARE = 0.5
# So much of a line tells what it is. A line may have megabytes, and to count is to make a list of its characters.
LOOKED_AT_CHARS = 1 << 16
# Characters of three bytes and more in UTF-8: all of Hangul, and nothing that CP949 would give by chance.
_BEYOND_TWO_BYTES = re.compile("[^\x00-\u07ff]")
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
_USUAL = re.compile("[\t\n\r -~가-힣]")
_JAMO = re.compile("[\u3131-\u3163]")
_HANGUL = re.compile("[가-힣]+")
_HANJA = re.compile("[\u4e00-\u9fff\uf900-\ufaff]")
_HANGUL_IN_A_WORD = re.compile("[A-Za-z][가-힣]|[가-힣][A-Za-z]")


def known_encoding(name: str) -> str:
    """The codec of an encoding that a client names.

    Raises:
        MalformedRequestError: it is none of those that are read.
    """
    key = re.sub(r"[^a-z0-9]", "", name.lower())
    if key not in _ENCODINGS:
        raise MalformedRequestError(
            f"encoding={name[:40]} is not known; use utf-8, cp949 (also called euc-kr), utf-16, utf-32, johab or "
            "windows-1252, or leave it out: the encoding is found out",
            param="encoding",
        )
    return _ENCODINGS[key] or _WIDE[key]


def strictly(line: bytes, encoding: str) -> str | None:
    """The line as text, or None where bytes are not in the encoding."""
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None


def korean_share(text: str) -> float:
    """The share of common Hangul (KS X 1001) and of single letters such as ㅋ in what is not ASCII, 0 to 1."""
    text = text[:LOOKED_AT_CHARS]
    total = len(_NON_ASCII.findall(text))
    return (_common_hangul(text) + len(_JAMO.findall(text))) / total if total else 0.0


def is_surely_utf8(text: str) -> bool:
    """Whether a valid UTF-8 line has characters that CP949 could hardly give by chance."""
    return _BEYOND_TWO_BYTES.search(text) is not None


def is_damaged_utf8(line: bytes) -> bool:
    """Whether most of a line's characters are UTF-8 and only a few bytes are not."""
    text = line[:LOOKED_AT_CHARS].decode(UTF8, "replace")
    good = len(_BEYOND_TWO_BYTES.findall(text.replace("\ufffd", "")))
    return good > text.count("\ufffd")


def is_plausible_cp949(text: str) -> bool:
    """Whether a line that was read as CP949 is Korean: common Hangul above all, or the Hanja of real text."""
    if korean_share(text) >= MIN_KOREAN_SHARE:
        return True
    text = text[:LOOKED_AT_CHARS]
    rare = sum(map(len, _HANGUL.findall(text))) - _common_hangul(text)
    # Misread UTF-8 is a mixture of Hanja and rare syllables; text has the one or the other.
    return not (rare and _HANJA.search(text))


def is_cp949_in_disguise(as_utf8: str, as_cp949: str | None) -> bool:
    """Whether text that is valid UTF-8 is really CP949, as the bytes of 체크 are those of üũ.

    Western letters stand within words of plain ones; syllables that stand alone are Korean.
    """
    if as_cp949 is None or is_surely_utf8(as_utf8):
        return False
    return korean_share(as_cp949) == 1.0 and _HANGUL_IN_A_WORD.search(as_cp949) is None


def guess_wide(head: bytes) -> str | None:
    """UTF-16 without its mark, seen by the zero bytes of its spaces, digits and line ends; None for anything else.

    Hangul in UTF-8 is valid UTF-16, too: there a stray zero byte says nothing.
    """
    if not head.isascii() and (_is_valid_start(head, UTF8) or _is_korean_start(head, CP949)):
        return None
    zeros_at = (head[0::2].count(0), head[1::2].count(0))
    for encoding, many, few in (("utf-16-le", zeros_at[1], zeros_at[0]), ("utf-16-be", zeros_at[0], zeros_at[1])):
        is_clear = many > 10 * few and many >= len(head) * MIN_ZERO_SHARE and _is_valid_start(head, encoding)
        # 가 and 글 have a zero byte where other letters of a text have none.
        if is_clear or _is_korean_start(head, encoding):
            return encoding
    return None


def fits_wide(head: bytes, encoding: str) -> bool:
    """Whether a file that is said to be UTF-16 or UTF-32, with this byte order, can be that."""
    if b"\0" not in head:
        is_other = _is_valid_start(head, UTF8) or not _is_valid_start(head, encoding)
        return not head if is_other else korean_share(head.decode(encoding, "ignore")) >= MIN_KOREAN_SHARE
    text = head.decode(encoding, "replace")
    swapped = head.decode(encoding[:-2] + {"le": "be", "be": "le"}[encoding[-2:]], "replace")
    is_valid = "\0" not in text and 10 * text.count("\ufffd") <= len(text) + 9
    return is_valid and len(_USUAL.findall(text)) >= len(_USUAL.findall(swapped))


def _is_korean_start(head: bytes, encoding: str) -> bool:
    """Whether the bytes are valid, and mostly Korean beyond ASCII."""
    return _is_valid_start(head, encoding) and korean_share(head.decode(encoding, "ignore")) >= MIN_KOREAN_SHARE


def _is_valid_start(head: bytes, encoding: str) -> bool:
    """Whether the bytes are valid; the last character may be cut."""
    try:
        codecs.getincrementaldecoder(encoding)("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _common_hangul(text: str) -> int:
    """The number of syllables of KS X 1001, which have a block of their own in CP949."""
    pairs = "".join(_HANGUL.findall(text)).encode(CP949)
    return sum(0xB0 <= lead <= 0xC8 and trail >= 0xA1 for lead, trail in zip(pairs[::2], pairs[1::2], strict=True))
