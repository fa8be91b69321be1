"""Rows made from templates, for trying the pipeline where the labelled files are not: in CI, in a fresh clone.

They have the files' sources and signals, and are far too easy to say anything about a model.
"""

import numpy as np

from training.data.lexicon import CERTAIN_CURSES, INNOCENT_WORDS
from training.data.signals import READERS
from training.data.sources import EVERYDAY, Row

_SUBJECTS = (
    "이 영화는|오늘 날씨는|저 선수는|그 배우는|우리 동네는|이 가게는|그 기사는|댓글 쓴 사람은|이번 정책은|어제 경기는"
)
_PLAIN_ENDS = "정말 좋네요|기대가 됩니다|조금 아쉬웠어요|다시 보고 싶어요|{word} 생각이 나네요|{word} 이야기였습니다"
_CURSE_ENDS = "{word} 같네|진짜 {word}이다|{word} 꺼져라|{word} 그만해라"
_TONES = {
    "positive": "정말 좋네요|기대가 됩니다|최고였어요",
    "negative": "많이 아쉬웠어요|너무 지루했어요|돈이 아까웠어요",
}
_GROUPS = {"age": "늙은이들은", "gender": "여자들은", "politics": "그 당 지지자들은", "origin": "그 지역 사람들은"}
_HARMLESS = (EVERYDAY, "headlines", "square_questions")
_DEV_SHARE = 0.2
_ROWS_PER_SOURCE = 220


def made_up_rows(seed: int) -> list[Row]:
    """A few hundred rows of every source, a fifth of them dev rows; the same for the same seed."""
    generator = np.random.default_rng(seed)
    rows = [row for source in READERS for row in (_row(source, generator) for _ in range(_ROWS_PER_SOURCE))]
    dev = {row.text for row in rows if row.split == "dev"}
    return [row for row in rows if row.split != "train" or row.text not in dev]


def _row(source: str, generator: np.random.Generator) -> Row:
    bad = bool(generator.random() < 0.5) and source not in _HARMLESS
    kind = str(generator.choice(list(_GROUPS))) if bad and generator.random() < 0.4 else None
    text = _review(generator, bad=bad) if source == "nsmc" else _text(generator, bad=bad, kind=kind)
    split = "dev" if source == "field" or generator.random() < _DEV_SHARE else "train"
    return Row(text, source, split, READERS[source]({"text": text, **_as_labelled(source, bad=bad, kind=kind)}))


def _text(generator: np.random.Generator, *, bad: bool, kind: str | None) -> str:
    subject = _GROUPS[kind] if kind else str(generator.choice(_SUBJECTS.split("|")))
    ends, words = (_CURSE_ENDS, CERTAIN_CURSES) if bad else (_PLAIN_ENDS, INNOCENT_WORDS)
    end = str(generator.choice(ends.split("|"))).format(word=generator.choice(words))
    return f"{subject} {end} {generator.integers(1000)}"


def _review(generator: np.random.Generator, *, bad: bool) -> str:
    """A film review: a negative one swears at nobody, or no threshold could keep to its limit."""
    tone = str(generator.choice(_TONES["negative" if bad else "positive"].split("|")))
    return f"{generator.choice(_SUBJECTS.split('|'))} {tone} {generator.integers(1000)}"


def _as_labelled(source: str, *, bad: bool, kind: str | None) -> dict[str, object]:
    words = {
        "beep": ("hate" if kind else "offensive", "none"),
        "curse_detection": ("curse", "clean"),
        "hatescore": ("혐오발언" if kind else "단순 악플", "Clean"),
        "field": ("bad", "clean"),
        "kda": ("implicit", "neutral"),
        "kosbi": ("unsafe", "safe"),
        "malicious_comments": ("malicious", "clean"),
        "nsmc": ("negative", "positive"),
    }
    if source == "kmhas":
        labels = ["profanity", *([kind] if kind else [])] if bad else ["not_hate"]
    else:
        labels = [words.get(source, ("", ""))[0 if bad else 1]]
    return {"labels": labels, "bias": "gender" if kind == "gender" else "none", "source": "온라인 댓글"}
