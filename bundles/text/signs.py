"""Signs of abuse that the vocabulary cannot read, or reads as many things: each becomes one plain form (kobert-2)."""

import re
from collections.abc import Sequence

from bundles.text.substitution import Replacement, Sub
from bundles.text.syllables import RARE, RARE_SPELLINGS, nearest_known

Rewrites = Sequence[tuple[re.Pattern[str], Replacement]]
_HANGUL = "가-힣"
_HAS_JAMO = re.compile("[ㄱ-ㅎㅏ-ㅣ]")
_CJK = "\u3040-\u30ff\u3400-\u51f7\u51f9-\u9fff"  # kana and hanja, but for the finger 凸 itself
_FINGER = re.compile(
    f"(?:🖕[\U0001f3fb-\U0001f3ff]?|[╭┌]∩[╮┐]|(?<![{_CJK}])(?!(?<=\\()凸\\))凸(?![{_CJK}자형면부판렌]| 모양))"
)
_FINGER_RUN = re.compile(f"(?:{_FINGER.pattern})+")
_HANJA: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"([시씨쉬씹])八(?![시분월일명개원번년살])", r"\1팔"),
        (r"([시씨])發", r"\1발"),
        (f"(?<![{_CJK}])[犬狗](?=새끼|새키|색기|쉐끼|놈|년)", "개"),
        (f"(?<![{_CJK}])病[身神](?![{_CJK}])", "병신"),
        (r"(?<=미친|씨발|시발)年", "년"),
        (f"(?<![{_CJK}])十八(?=놈|년아|새끼|련|럼)", "씨팔"),
        (r"人(?=[ㅣ1l|!][발팔바벌빨ㅂ])", "ㅅ"),
        (r"口(?=[ㅣ1l|!]친)", "ㅁ"),
        (f"(?<=[ㄱ-ㅎ])[卜ト├](?=[{_HANGUL}ㄱ-ㅎ])", "ㅏ"),
    )
)
_SPOKEN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (
            f"(?<![{_HANGUL}])(?:[뻐뻑][뀨규]|뻑큐|뻑유|[빠빡뻒퍼퍽]큐|퍽유)(?![브티피레알어슈슬릭벨리])",
            "뻐큐",
        ),
        (f"(?<![{_HANGUL}0-9])개(?:색[기히끼]|섀끼|쉐끼|쌔끼|세끼|새기|쉐이|쉐키|쌔키)", "개새끼"),
        (r"[쌔섀]끼(?!손)", "새끼"),
        (f"(?<![{_HANGUL}])[씌쓰]([발벌팔])(?![표견전생행명상송])", r"씨\1"),
        (r"씹알(?!갱)", "씨발"),
        (f"(?<![{_HANGUL}])씨빨(?![리간래강대아라랐])", "씨발"),
    )
)
_HAS_SPOKEN = re.compile("[뻐뻑빠빡뻒퍼퍽개쌔섀씌쓰씹씨][큐뀨규유색섀쉐쌔세새끼발벌팔알빨]")
_BETWEEN_JAMO = r"[0-9lI|!i*xX]{1,2}"
_CURSE_INITIALS = ("ㅅㅂ", "ㅆㅂ", "ㅂㅅ", "ㅈㄹ", "ㅁㅊ", "ㅅㄲ", "ㅈㄴ", "ㄷㅊ", "ㄲㅈ", "ㅆㄴ")
_MARKED_JAMO = re.compile(
    "(?<![ㄱ-ㅎㅏ-ㅣ])(?:"
    + "|".join(f"(?:{pair[0]}{_BETWEEN_JAMO}(?={pair[1]}))" for pair in _CURSE_INITIALS)
    + ")(?!.[ㅏ-ㅣ발팔벌빨바신])"
)
_SPACED_JAMO = re.compile("(?<![ㄱ-ㅎㅏ-ㅣ])(?<![ㄱ-ㅎㅏ-ㅣ] )(?:[ㅅㅆ] (?=ㅂ)|ㅂ (?=ㅅ))(?!. ?[ㄱ-ㅎㅏ-ㅣ])")
_DOG_INITIALS = re.compile("ㄱ[ㅐHh](?=ㅅㄲ(?![ㅏ-ㅣ]))")

# Letters of other alphabets that look like Latin ones, and are read as such in a word that also has a Latin letter.
LOOKALIKES = dict(
    zip(
        "аеорсухіјѕһԁԛԝӏкАВЕКМНОРСТХЅІЈУοΑΒΕΖΗΙΚΜΝΟΡΤΥΧıɡɑ",
        "aeopcyxijshdqwlkABEKMHOPCTXSIJYoABEZHIKMNOPTYXiga",
        strict=True,
    )
)
_HAS_LOOKALIKE = re.compile("[" + "".join(LOOKALIKES) + "]")
_HAS_HANJA = re.compile("[八發犬狗病年十人口卜ト├]")
_HAS_FOREIGN = re.compile("[凸🖕∩八發犬狗病年十人口卜ト├" + "".join(LOOKALIKES) + "]")
_LETTERS = re.compile("[A-Za-z\u0370-\u03ff\u0400-\u052fıɡɑ]+")
_HAS_ENGLISH = re.compile(r"(?i)f[\W_]?[uvc*k]|ph[\W_]?[uv]|sh?[\W_]?[i1!*h]|b[i1!*]|[a@][s$*]")
_GAP = r"[\s._\-]?"
_ENGLISH: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile("(?i)(?<![a-z0-9@./])" + pattern), plain)
    for pattern, plain in (
        (
            r"(?:f(?:[*@#$%]{2,3}|u{1,3}[*@#$%]|[*@#$%v]c|u{2,3}c?|uc{2,3}|u)|ph(?:uc|u|vc))k+(?=$|[^a-z]|ing|er|in|ed|you)",
            "fuck",
        ),
        (r"f\*{2,3}(?=ing|er(?![a-z]))", "fuck"),
        (r"f(?:[\s]u\sc\s|[._\-]u[._\-]c[._\-])k(?![a-z])", "fuck"),
        (r"s(?:h[1!*@#|]+|\*{2}|h\si\s|\sh\si\s|[._\-]h[._\-]i[._\-])t(?![a-z])", "shit"),
        (r"b(?:[1!*@#|]t|i[*@#]|[*]{2})ch(?=$|[^a-z]|es)", "bitch"),
        (r"(?:@[s$]{2}|a(?:\$[$s]|s\$|\*{2}))h[o0*]le(?=$|[^a-z]|s)", "asshole"),
    )
)
_CAPITALS = re.compile(r"(?<![A-Za-z])(?:F[Uu][Cc][Kk](?:ING|ER|ED|IN)?|SHIT|BITCH(?:ES)?|ASSHOLES?)(?![A-Za-z])")
_UNREADABLE = re.compile("[" + "".join(map(chr, RARE_SPELLINGS)) + f"{RARE}]")


def apply(rewrites: Rewrites, text: str, sub: Sub) -> str:
    """`text` after every substitution, in order."""
    for pattern, plain in rewrites:
        text = sub(pattern, plain, text)
    return text


def undo_signs(text: str, sub: Sub) -> str:
    """Write what stands for a gesture, a syllable or a jamo as the plain form."""
    if _HAS_FOREIGN.search(text):
        text = text if "凹" in text else sub(_FINGER_RUN, _raise_finger, text)
        text = apply(_HANJA, text, sub) if _HAS_HANJA.search(text) else text
        text = sub(_LETTERS, _to_latin, text) if _HAS_LOOKALIKE.search(text) else text
    if _HAS_JAMO.search(text):
        text = sub(_MARKED_JAMO, _first_char, text)
        text = sub(_SPACED_JAMO, _first_char, text)
        text = sub(_DOG_INITIALS, "개", text)
    return undo_spoken(text, sub)


def undo_spoken(text: str, sub: Sub) -> str:
    """Write abuse that is spelt as it sounds in its usual spelling."""
    return apply(_SPOKEN, text, sub) if _HAS_SPOKEN.search(text) else text


def _first_char(match: re.Match[str]) -> str:
    return match[0][0]


def _raise_finger(match: re.Match[str]) -> str:
    run = match[0]
    single = run.count("🖕") + run.count("凸") + run.count("∩") == 1
    return " ㅗ " if single else " ㅗㅗ "  # apart: the vowel must join no consonant


def _to_latin(match: re.Match[str]) -> str:
    letters = match[0]
    mixed = any(letter.isascii() for letter in letters)
    plain = "".join(LOOKALIKES.get(letter, letter) for letter in letters)
    return plain if mixed and plain.isascii() else letters


def spell_known(text: str, sub: Sub) -> str:
    """Write syllables that the vocabulary lacks as the nearest that it has."""
    return sub(_UNREADABLE, _nearest_spelling, text)


def _nearest_spelling(match: re.Match[str]) -> str:
    return RARE_SPELLINGS.get(ord(match[0])) or nearest_known(match[0])


def undo_english(text: str, sub: Sub) -> str:
    """Write starred, spaced and leet English swear words plainly."""
    if not _HAS_ENGLISH.search(text):
        return text
    return sub(_CAPITALS, lambda match: match[0].lower(), apply(_ENGLISH, text, sub))
