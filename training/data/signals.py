"""What the labelled sources say, as one table of yes-or-no signals; what a source does not say stays unknown.

Every source keeps a signal of its own, because they disagree on where offence begins. The labels that a bundle serves
are read from the signals in `training/ship/calibrate.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any

SIGNALS = (
    "curse",  # pooled: any source's word for profanity
    "kmhas/any",
    "kmhas/curse",
    "kmhas/hate",  # of any kind
    "kmhas/origin",
    "kmhas/appearance",
    "kmhas/politics",
    "kmhas/age",
    "kmhas/gender",
    "kmhas/religion",
    "curse_detection/curse",
    "beep/offensive",  # offensive or hate, against none
    "beep/hate",
    "beep/gender",
    "malicious/malicious",
    "hatescore/hate",
    "nsmc/positive",
)
TOXIC_SIGNALS = tuple(name for name in SIGNALS if name != "nsmc/positive")
SIGNAL_INDEX = {name: index for index, name in enumerate(SIGNALS)}

Targets = dict[str, float]
_KMHAS_KINDS = {
    "origin": "origin",
    "race": "origin",
    "physical": "appearance",
    "politics": "politics",
    "age": "age",
    "gender": "gender",
    "religion": "religion",
}


def _kmhas(row: Mapping[str, Any]) -> Targets:
    labels = row["labels"]
    targets = {f"kmhas/{kind}": 0.0 for kind in _KMHAS_KINDS.values()}
    targets |= {f"kmhas/{_KMHAS_KINDS[label]}": 1.0 for label in labels if label in _KMHAS_KINDS}
    curse, hate = float("profanity" in labels), max(targets.values())
    return targets | {"kmhas/any": max(curse, hate), "kmhas/hate": hate, "kmhas/curse": curse, "curse": curse}


def _curse_detection(row: Mapping[str, Any]) -> Targets:
    curse = float("curse" in row["labels"])
    return {"curse_detection/curse": curse, "curse": curse}


def _beep(row: Mapping[str, Any]) -> Targets:
    label = row["labels"][0]
    return {
        "beep/offensive": float(label != "none"),
        "beep/hate": float(label == "hate"),
        "beep/gender": float(row["bias"] == "gender"),
    }


def _malicious(row: Mapping[str, Any]) -> Targets:
    return {"malicious/malicious": float("malicious" in row["labels"])}


def _hatescore(row: Mapping[str, Any]) -> Targets:
    hate = "혐오발언" in row["labels"]
    targets = {"hatescore/hate": float(hate)}
    if "Clean" not in row["labels"]:
        return targets | {"malicious/malicious": 1.0}
    written_by_rule = (
        row["source"] != "온라인 댓글"
    )  # sentences from templates and an encyclopaedia: clean by any standard
    return dict.fromkeys(TOXIC_SIGNALS, 0.0) if written_by_rule else targets


def _everyday(_row: Mapping[str, Any]) -> Targets:
    return dict.fromkeys(TOXIC_SIGNALS, 0.0)


def _nsmc(row: Mapping[str, Any]) -> Targets:
    return {"nsmc/positive": float("positive" in row["labels"])}


def _unlabelled(_row: Mapping[str, Any]) -> Targets:
    return {}


READERS: dict[str, Callable[[Mapping[str, Any]], Targets]] = {
    "beep": _beep,
    "curse_detection": _curse_detection,
    "everyday_sentences": _everyday,
    "hatescore": _hatescore,
    "kmhas": _kmhas,
    "malicious_comments": _malicious,
    "nsmc": _nsmc,
    "synthetic": lambda row: dict(row["targets"]),
    "unlabelled_comments": _unlabelled,
}
"""For each source, by the stem of its file: what one row says."""
