"""How well spans and masks point at what people marked: `tests/data/spans.tsv`, 410 sentences with their curses."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bundles.text.words import Range, words_of
from shared.options import VerdictOptions
from shared.span_options import MaskStyle
from shared.verdict import Span, Verdict
from worker.inference.classifier import Classifier

MARKED = Path(__file__).resolve().parents[1] / "data" / "spans.tsv"
ASKED = VerdictOptions(explain=True, mask=MaskStyle())
_BETWEEN_CURSES = " | "


@dataclass(frozen=True)
class Marked:
    """A sentence, and the ranges of its curses."""

    text: str
    curses: list[Range]

    @property
    def innocent(self) -> list[Range]:
        """Its words without a letter of a curse."""
        return [word for word in words_of(self.text) if not any(_meet(word, curse) for curse in self.curses)]


@dataclass(frozen=True)
class SpanFigures:
    """Shares of the flagged sentences, but for `extra_words`, a mean per sentence, and `innocent_words`, of words.

    `found`: the first span has a curse, or, of one of several words, one of these words. `found_whole`: it has all of a
    curse. `curses_marked`: of all curses, those that meet a span. `cleared`: clean when the spans are left out.
    `innocent_words` are not hidden by the mask; in `innocent_parts` none of the sentence is.
    """

    sentences: int
    flagged: int
    found: float
    found_whole: float
    curses_marked: float
    extra_words: float
    innocent_words: float
    innocent_parts: float
    cleared: float


def read_marked() -> list[Marked]:
    """The sentences."""
    lines = MARKED.read_text(encoding="utf-8").splitlines()[1:]
    return [_marked(*line.split("\t")) for line in lines]


def _marked(text: str, curses: str) -> Marked:
    starts = [(text.index(curse), curse) for curse in curses.split(_BETWEEN_CURSES)]
    return Marked(text, [(start, start + len(curse)) for start, curse in starts])


def measure_spans(classifier: Classifier, marked: Sequence[Marked]) -> SpanFigures:
    """The figures of the model that `classifier` serves. Sentences that it takes for clean count in none of them."""
    verdicts = [
        verdict
        for verdict in classifier.outcomes_in_order([sentence.text for sentence in marked], ASKED)
        if isinstance(verdict, Verdict)
    ]
    flagged = [(sentence, verdict) for sentence, verdict in zip(marked, verdicts, strict=True) if _is_bad(verdict)]
    rests = classifier.outcomes_in_order([_without(sentence.text, spans(verdict)) for sentence, verdict in flagged])
    hidden = [_hidden_words(sentence, verdict) for sentence, verdict in flagged]
    innocent = sum(len(sentence.innocent) for sentence, _ in flagged)
    curses = [(curse, verdict) for sentence, verdict in flagged for curse in sentence.curses]
    return SpanFigures(
        sentences=len(marked),
        flagged=len(flagged),
        found=_mean([_finds(sentence, verdict) for sentence, verdict in flagged]),
        found_whole=_mean([_finds_whole(sentence, verdict) for sentence, verdict in flagged]),
        curses_marked=_mean([_is_marked(curse, verdict) for curse, verdict in curses]),
        extra_words=_mean(hidden),
        innocent_words=1 - sum(hidden) / innocent,
        innocent_parts=_mean([not count for count in hidden]),
        cleared=_mean([not isinstance(rest, Verdict) or not _is_bad(rest) for rest in rests]),
    )


def spans(verdict: Verdict) -> list[Span]:
    """The spans of a verdict that was asked for them."""
    assert isinstance(verdict.spans, list)
    return verdict.spans


def _is_bad(verdict: Verdict) -> bool:
    return verdict.classification != "clean"


def _meet(left: Range, right: Range) -> bool:
    return left[0] < right[1] and right[0] < left[1]


def _of(span: Span) -> Range:
    return span.start, span.end


def _finds(sentence: Marked, verdict: Verdict) -> bool:
    return any(_meet(_of(span), curse) for span in spans(verdict)[:1] for curse in sentence.curses)


def _finds_whole(sentence: Marked, verdict: Verdict) -> bool:
    first = spans(verdict)[:1]
    return any(span.start <= start and end <= span.end for span in first for start, end in sentence.curses)


def _is_marked(curse: Range, verdict: Verdict) -> bool:
    return any(_meet(curse, _of(span)) for span in spans(verdict))


def _hidden_words(sentence: Marked, verdict: Verdict) -> int:
    masked = str(verdict.masked)
    return sum(masked[start:end] != sentence.text[start:end] for start, end in sentence.innocent)


def _without(text: str, marked: Sequence[Span]) -> str:
    kept = [char for place, char in enumerate(text) if not any(span.start <= place < span.end for span in marked)]
    return " ".join("".join(kept).split()) or "."


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
