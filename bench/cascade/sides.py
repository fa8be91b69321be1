"""The worker's classifier with CASCADE on and off, on the same texts in turns, and what is counted."""

import itertools
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from shared.messages import TextItem
from shared.settings import load_settings
from shared.verdict import Verdict
from worker.inference.cascade import Cascade
from worker.inference.classifier import Classifier
from worker.inference.tokenizer import BundleTokenizer
from worker.main import build_classifier

TEXTS_PER_MESSAGE = 32
TEXTS_PER_TURN = 1_000
TIMEOUT_S = 600
FAR = 0.1
GRAVE = {"curse", "threat"}


class Turn(NamedTuple):
    """What some texts of one set took: processor milliseconds a text, and texts per second."""

    name: str
    processor_ms: float
    per_s: float


class Side:
    """The worker's classifier with CASCADE on or off, and its time of each turn."""

    def __init__(self, model: str, cascade: str) -> None:
        self.classifier: Classifier = build_classifier(load_settings(model=model, cascade=cascade))
        self.turns: list[Turn] = []

    def run(self, name: str, texts: Sequence[str]) -> list[Verdict]:
        """The verdicts on `texts`, sent as messages of a queue would bring them."""
        started, processor_s = time.perf_counter(), time.process_time()
        found: dict[int, Verdict] = {}
        for first in range(0, len(texts), TEXTS_PER_MESSAGE):
            items = [TextItem(first + at, text) for at, text in enumerate(texts[first : first + TEXTS_PER_MESSAGE])]
            for group in self.classifier.answers_as_done(items, time.time() + TIMEOUT_S):
                found.update((answer.id, answer.verdict) for answer in group if answer.verdict is not None)
        if len(found) != len(texts):
            sys.exit("a text has no verdict")
        processor_ms = 1000 * (time.process_time() - processor_s) / len(texts)
        self.turns.append(Turn(name, processor_ms, len(texts) / (time.perf_counter() - started)))
        return [found[at] for at in range(len(texts))]


@dataclass
class Count:
    """What the cascade did to some texts."""

    texts: int = 0
    answered: int = 0
    same: int = 0
    bad: int = 0
    lost: int = 0
    grave: int = 0
    grave_lost: int = 0
    moved: float = 0.0
    far: int = 0

    def add(self, off: Verdict, on: Verdict, *, is_answered: bool) -> None:
        """Count one text by its verdicts."""
        is_bad = off.classification != "clean"
        is_grave = bool(GRAVE & set(off.labels))
        is_lost = is_bad and on.classification == "clean"
        moved = abs(off.scores["clean"] - on.scores["clean"])
        self.texts += 1
        self.answered += is_answered
        self.same += set(off.labels) == set(on.labels)
        self.bad += is_bad
        self.lost += is_lost
        self.grave += is_grave
        self.grave_lost += is_grave and is_lost
        self.moved += moved if is_answered else 0.0
        self.far += is_answered and moved > FAR

    def row(self, name: str) -> str:
        """A row of the table."""
        answered = max(self.answered, 1)
        return (
            f"| {name} | {self.texts:,} | {self.answered / self.texts:.1%} | {self.same / self.texts:.2%} "
            f"| {self.lost} of {self.bad:,} | {self.grave_lost} of {self.grave:,} "
            f"| {self.moved / answered:.4f} | {self.far / answered:.2%} |"
        )


class Bench:
    """Both sides, and what was counted by the name of a set."""

    def __init__(self, model: str) -> None:
        self.off, self.on = Side(model, "off"), Side(model, "on")
        cascade = self.on.classifier.cascade
        if not isinstance(cascade, Cascade):
            sys.exit("the model has no cascade that can be used: python -m training.cascade")
        self.cascade: Cascade = cascade
        self.counts: dict[str, Count] = {}
        self.is_bad: dict[str, tuple[bool, bool]] = {}  # by text: not clean with the cascade off, and on

    def run(self, named: Sequence[tuple[str, str]]) -> None:
        """Read texts `(set, text)` on both sides, a thousand of a set at a time; the side that begins changes."""
        for name, group in itertools.groupby(sorted(named, key=itemgetter(0)), key=itemgetter(0)):
            texts = [text for _, text in group]
            for first in range(0, len(texts), TEXTS_PER_TURN):
                self._turn(name, texts[first : first + TEXTS_PER_TURN])

    def _turn(self, name: str, texts: Sequence[str]) -> None:
        both = self.judge(name, texts)
        count = self.counts.setdefault(name, Count())
        for (off, on), is_answered in zip(both, self.certain(texts), strict=True):
            count.add(off, on, is_answered=is_answered)

    def judge(self, name: str, texts: Sequence[str]) -> list[tuple[Verdict, Verdict]]:
        """The verdicts with the cascade off and on, which are kept for the tables of sets; nothing is counted."""
        sides = (self.off, self.on) if len(self.on.turns) % 2 else (self.on, self.off)
        said = {id(side): side.run(name, texts) for side in sides}
        both = list(zip(said[id(self.off)], said[id(self.on)], strict=True))
        for text, (off, on) in zip(texts, both, strict=True):
            self.is_bad[text] = off.classification != "clean", on.classification != "clean"
        return both

    def certain(self, texts: Sequence[str]) -> list[bool]:
        """Which texts the cascade answers."""
        windows = tokenizer_of(self.on.classifier).encode(texts)
        return [self.cascade.logits(own) is not None for own in windows]

    def microseconds(self, texts: Sequence[str]) -> float:
        """Processor time of the cascade alone, for one text, answered or not."""
        windows = tokenizer_of(self.on.classifier).encode(texts)
        took = []
        for _ in range(5):
            started = time.process_time()
            for text in windows:
                self.cascade.logits(text)
            took.append(1e6 * (time.process_time() - started) / len(windows))
        return statistics.median(took)

    def close(self) -> None:
        """Stop the model threads."""
        for side in (self.off, self.on):
            side.classifier.batcher.close()


def tokenizer_of(classifier: Classifier) -> BundleTokenizer:
    """A tokenizer as the classifier has it."""
    return BundleTokenizer(classifier.bundle, max_windows=10_000)
