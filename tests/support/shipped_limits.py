"""What each bundle in `models/` must reach on the sets of `tests/data`, run by the worker's own parts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bundles.format import Bundle
from bundles.windows import discount_of
from shared.verdict import Verdict
from training.data.sets import TextSet, diluted, pleasant_test_sentences, unseen_sets
from training.data.sources import TEST_DATA, read_table
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.engines.protocol import Logits
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge

# The largest share of a harmless set that may be flagged at `standard`, and the smallest of a bad one to be found: what
# the shipped model reaches, with a little room for another processor's rounding.
LIMITS = {
    "innocent look-alikes": 0.0095,
    "disguised curses": 0.97,
    "threats": 0.8,
    "long, harmless": 0.068,
    "long, one bad sentence": 0.98,
    "family: replies": 0.018,
    "family: facts": 0.018,
    "family: headlines": 0.018,
    "family: counter-speech": 0.1,
    "family: criticism": 0.034,
    "family: homographs": 0.0876,
    "family: not-threats": 0.0834,
    "family: scripts": 0.021,
    "family: slang": 0.021,
    "family: old-curses": 0.95,
    "family: signs": 0.85,
    "family: sound-alikes": 0.88,
    "family: abbreviations": 0.96,
    "family: english": 0.93,
    "family: family": 0.87,
    "family: contempt": 0.7,
    "family: looks": 0.83,
    "family: slurs-age": 0.94,
    "family: slurs-disability": 0.74,
    "family: slurs-gender": 0.92,
    "family: slurs-origin": 0.94,
    "family: slurs-politics": 0.94,
}


# Of the curses found alone, the share found between so many pleasant sentences on each side.
COMPLIMENTED = {" ": 0.825, ". ": 0.935}
"""Of the curses found alone, the least found between two short compliments on each side, by what joins them."""
DILUTED = {2: 0.895, 4: 0.925, 8: 0.92}


# Of the texts of a set that are flagged, the share whose labels have the one that the set is about.
RIGHT_LABEL = {"curse": 0.70, "insult": 0.60, "hate": 0.60, "threat": 0.70}


# Of the sentences about one kind of group, the share where this kind has the highest score of all kinds.
RIGHT_KIND = 0.60


# Accuracy by tone, and over all.
SENTIMENT = {"positive": 0.65, "neutral": 0.55, "negative": 0.75, "all": 0.66}


# The families of abusive.tsv that are about a kind of group; religion has none.
KINDS = {
    "hate/gender": "slurs-gender",
    "hate/age": "slurs-age",
    "hate/origin": "slurs-origin",
    "hate/politics": "slurs-politics",
    "hate/appearance": "looks",
    "hate/religion": None,
}


RELIGION = (
    "개독들은 다 똑같은 사기꾼들",
    "개슬람 믿는 것들 들여보내지 마라",
    "개독교 신자들 역겹다",
    "목사라는 것들은 죄다 도둑놈",
    "절에 다니는 땡중들 믿지 마라",
)


class Served:
    """A bundle, as a worker opens it. `logits` may come from another bundle with the same graph and tokenizer."""

    def __init__(self, bundle: Bundle, logits: dict[str, list[Logits]] | None = None) -> None:
        self.config = bundle.config
        self.tokenizer = BundleTokenizer(bundle, max_windows=128)
        self.engine = OnnxEngine(bundle, 1)
        self.judge = Judge(bundle.config, {})
        self.logits: dict[str, list[Logits]] = {} if logits is None else logits

    def verdicts(self, texts: Sequence[str]) -> list[Verdict]:
        """The verdict on each text, all its windows read."""
        new = [text for text in dict.fromkeys(texts) if text not in self.logits]
        for text, encoded in zip(new, self.tokenizer.encode(new), strict=True):
            windows = self.to_be_read(encoded)
            read = self.engine.run(windows)
            self.logits[text] = [row - np.float32(discount_of(own)) for row, own in zip(read, windows, strict=True)]
        return [self.judge.judge(self.logits[text]) for text in texts]

    def to_be_read(self, windows: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
        """Those of a text's windows that the model reads: all of them."""
        return windows

    def flagged(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text is anything but clean."""
        return [verdict.classification != "clean" for verdict in self.verdicts(texts)]


@dataclass(frozen=True)
class Check:
    """One question to a bundle: what it got wrong, with the share that was right and the share that was asked for."""

    name: str
    find_fault: Callable[[Served], str | None]


def share_fault(wrong: Iterable[str], texts: int, most_wrong: float) -> str | None:
    """What to say where more than the share `most_wrong` of the texts is wrong: which ones."""
    wrong = list(wrong)
    if len(wrong) <= most_wrong * texts + 1e-9:
        return None
    return f"{len(wrong)} of {texts} wrong, at most {100 * most_wrong:.1f} % may be:\n  " + "\n  ".join(wrong)


def set_fault(item: TextSet, served: Served) -> str | None:
    wrong = [text for text, is_bad in zip(item.texts, served.flagged(item.texts), strict=True) if is_bad != item.bad]
    limit = LIMITS[item.name]
    return share_fault(wrong, len(item.rows), 1 - limit if item.bad else limit)


def diluted_fault(each_side: int, served: Served) -> str | None:
    return _lost_among(pleasant_test_sentences(), each_side, " ", DILUTED[each_side], served)


def complimented_fault(joint: str, served: Served) -> str | None:
    compliments = (TEST_DATA / "compliments.txt").read_text(encoding="utf-8").splitlines()
    return _lost_among(compliments, 2, joint, COMPLIMENTED[joint], served)


def _lost_among(around: Sequence[str], each_side: int, joint: str, limit: float, served: Served) -> str | None:
    curses = [
        *dict.fromkeys(record["plain"] for record in read_table(TEST_DATA / "obfuscated.tsv")),
        *labelled("curse"),
    ]
    alone = [text for text, is_bad in zip(curses, served.flagged(curses), strict=True) if is_bad]
    among = served.flagged(diluted(alone, around, each_side, joint))
    lost = [text for text, is_bad in zip(alone, among, strict=True) if not is_bad]
    return share_fault(lost, len(alone), 1 - limit) if alone else "no curse is found alone"


def labelled(label: str) -> list[str]:
    """Texts of the abusive families that are about one label."""
    if label == "threat":
        return [record["text"] for record in read_table(TEST_DATA / "threats.tsv")]
    return [record["text"] for record in read_table(TEST_DATA / "abusive.tsv") if record["label"] == label]


def label_fault(label: str, served: Served) -> str | None:
    texts = labelled(label)
    judged = [pair for pair in zip(texts, served.verdicts(texts), strict=True) if pair[1].classification != "clean"]
    wrong = [f"{text}: {', '.join(verdict.labels)}" for text, verdict in judged if label not in verdict.labels]
    return share_fault(wrong, len(judged), 1 - RIGHT_LABEL[label]) if judged else "none is flagged"


def kind_fault(kind: str, served: Served) -> str | None:
    family = KINDS[kind]
    records = read_table(TEST_DATA / "abusive.tsv")
    texts = [record["text"] for record in records if record["family"] == family] if family else list(RELIGION)
    served.verdicts(texts)
    # By the logits: a kind's score is held under that of its parent.
    highest = [max(KINDS, key=partial(kind_logit, served, text)) for text in texts]
    wrong = [f"{text}: {found}" for text, found in zip(texts, highest, strict=True) if found != kind]
    return share_fault(wrong, len(texts), 1 - RIGHT_KIND)


def kind_logit(served: Served, text: str, kind: str) -> float:
    """The graph's logit of a kind, the highest of the text's windows."""
    column = served.config.labels.index(kind)
    return max(float(row[column]) for row in served.logits[text])


def tone_fault(tone: str, served: Served) -> str | None:
    records = [record for record in read_table(TEST_DATA / "sentiment.tsv") if tone in ("all", record["label"])]
    said = [verdict.classification for verdict in served.verdicts([record["text"] for record in records])]
    wrong = [
        f"{record['text']}: {word}, is {record['label']}"
        for record, word in zip(records, said, strict=True)
        if word != record["label"]
    ]
    return share_fault(wrong, len(records), 1 - SENTIMENT[tone])


CHECKS = {
    "default": [
        *(Check(item.name, partial(set_fault, item)) for item in unseen_sets()),
        *(Check(f"between {side} pleasant sentences on each side", partial(diluted_fault, side)) for side in DILUTED),
        *(Check(f"between compliments, {joint!r}", partial(complimented_fault, joint)) for joint in COMPLIMENTED),
        *(Check(f"label {label}", partial(label_fault, label)) for label in RIGHT_LABEL),
        *(Check(f"kind {kind}", partial(kind_fault, kind)) for kind in KINDS),
    ],
    "sentiment": [Check(f"sentiment {tone}", partial(tone_fault, tone)) for tone in SENTIMENT],
}


def find_fault(name: str, check: str, served: Served) -> str | None:
    """What a bundle that is served in place of `models/<name>` gets wrong at one check."""
    return next(one for one in CHECKS[name] if one.name == check).find_fault(served)


def has_fault(name: str, served: Served) -> bool:
    """Whether it gets anything wrong. What is asked about labels comes first: that reads the fewest texts."""
    return any(check.find_fault(served) for check in reversed(CHECKS[name]))
