"""What the labelled sources say, as one table of targets; what a source does not say stays unknown.

One standard is served (docs/model.md states it): what a reasonable moderator of a Korean community or news site would
act on. Sources that share it say it through `ANY`, whichever label they would give; a source whose standard is another
one (BEEP's *offensive*, KoSBi's *unsafe*) keeps a signal of its own, which is learnt and not served.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from bundles.text.normalise import normalise
from training.data.lexicon import CURSES

KINDS = ("gender", "age", "origin", "politics", "religion", "appearance")
ACCUSING = ("curse", "insult", "hate", "threat")
"""The labels of which one makes a text other than clean."""
SERVED = (*ACCUSING, *(f"hate/{kind}" for kind in KINDS))
SIGNALS = (*SERVED, "beep/offensive", "kosbi/unsafe", "nsmc/positive")
"""The outputs of the network while it learns."""
OFFENSIVE = "beep/offensive"
"""The strictest standard there is. `strict` is read from it, through the low end of `insult`."""
ANY = "any"
TARGETS = (*SIGNALS, ANY)
"""The columns of a target: a signal each, and whether the text is anything but clean (no output of its own)."""
TARGET_INDEX = {name: index for index, name in enumerate(TARGETS)}
SIGNAL_INDEX = {name: index for index, name in enumerate(SIGNALS)}

Targets = dict[str, float]
_CALM = ("everyday_sentences", "headlines", "innocent", "kda", "kosbi", "square_questions", "clean/")
"""How the names of sources begin whose harmless texts no annotator calls offensive."""
CLEAN: Mapping[str, float] = dict.fromkeys((*SERVED, ANY), 0.0)
_OFFENSIVE_ANY = 0.4
"""BEEP's *offensive* is the strictest standard there is: between clean and what is acted on."""
_KMHAS_KINDS = {
    "origin": "origin",
    "race": "origin",
    "physical": "appearance",
    "politics": "politics",
    "age": "age",
    "gender": "gender",
    "religion": "religion",
}
_CURSE_WORD = re.compile("|".join(map(re.escape, CURSES)) + "|새끼|ㅅㅂ|ㅆㅂ|ㅂㅅ|ㅄ|ㅈㄹ|놈|쓰레기")


def offensive(targets: Targets, source: str) -> float | None:
    """Whether BEEP's annotators would call a text offensive, as far as its own source tells; None where it does not.

    What any standard acts on is offensive. Of harmless text, they would let calm sentences and chat pass; of what they
    would say of comments, posts and reviews that another source calls clean, nothing is known.
    """
    if OFFENSIVE in targets:
        return targets[OFFENSIVE]
    if targets.get(ANY) == 1:
        return 1.0
    return 0.0 if targets.get(ANY) == 0 and source.startswith(_CALM) else None


def bad(*labels: str, **known: float) -> Targets:
    """Targets of a text that is not clean, for the given labels."""
    return {ANY: 1.0, **dict.fromkeys(labels, 1.0), **known}


def _kmhas(row: Mapping[str, Any]) -> Targets:
    labels = row["labels"]
    if labels == ["not_hate"]:
        return dict(CLEAN)
    kinds = {f"hate/{kind}": 0.0 for kind in KINDS}
    kinds |= {f"hate/{_KMHAS_KINDS[label]}": 1.0 for label in labels if label in _KMHAS_KINDS}
    return {ANY: 1.0, "curse": float("profanity" in labels), "hate": max(kinds.values()), **kinds}


def _curse_detection(row: Mapping[str, Any]) -> Targets:
    return bad("curse") if "curse" in row["labels"] else dict(CLEAN)


def _beep(row: Mapping[str, Any]) -> Targets:
    label = row["labels"][0]
    if label == "none":
        return {**CLEAN, "beep/offensive": 0.0}
    served = bad() if label == "hate" else {ANY: _OFFENSIVE_ANY}
    return {**served, "beep/offensive": 1.0}


def _malicious(row: Mapping[str, Any]) -> Targets:
    return bad("insult") if "malicious" in row["labels"] else dict(CLEAN)


def _hatescore(row: Mapping[str, Any]) -> Targets:
    if "혐오발언" in row["labels"]:
        return bad("hate")
    return bad("insult") if "단순 악플" in row["labels"] else dict(CLEAN)


def _kda(row: Mapping[str, Any]) -> Targets:
    return bad("insult", curse=0.0) if "implicit" in row["labels"] else dict(CLEAN)


def _kosbi(row: Mapping[str, Any]) -> Targets:
    safe = "safe" in row["labels"]
    return {**CLEAN, "kosbi/unsafe": 0.0} if safe else {"curse": 0.0, "threat": 0.0, "kosbi/unsafe": 1.0}


def _harmless(_row: Mapping[str, Any]) -> Targets:
    return dict(CLEAN)


def _nsmc(row: Mapping[str, Any]) -> Targets:
    """A review's tone is no offence; whether one that curses offends is not known."""
    positive = float("positive" in row["labels"])
    known = {} if not positive and _CURSE_WORD.search(normalise(row["text"])) else CLEAN
    return {**known, "nsmc/positive": positive}


def _field(row: Mapping[str, Any]) -> Targets:
    return {ANY: float("bad" in row["labels"])}


def _unlabelled(_row: Mapping[str, Any]) -> Targets:
    return {}


READERS: dict[str, Callable[[Mapping[str, Any]], Targets]] = {
    "beep": _beep,
    "curse_detection": _curse_detection,
    "everyday_sentences": _harmless,
    "field": _field,
    "hatescore": _hatescore,
    "headlines": _harmless,
    "kda": _kda,
    "kmhas": _kmhas,
    "kosbi": _kosbi,
    "malicious_comments": _malicious,
    "nsmc": _nsmc,
    "square_questions": _harmless,
    "unlabelled_comments": _unlabelled,
}
"""For each source, by the stem of its file: what one row says."""
