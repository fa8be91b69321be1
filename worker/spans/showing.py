"""What of the spans goes into the answer: as the caller counts them, and the text with them hidden."""

from itertools import accumulate

import msgspec

from shared.options import VerdictOptions
from shared.verdict import Span, Verdict
from worker.spans.masking import MASK_CHAR, mask, ranges_of


def show_spans(text: str, verdict: Verdict, options: VerdictOptions) -> Verdict:
    """The verdict as it is sent, from one whose spans count code points of `text`: spans and mask if asked for."""
    if not options.wants_spans:
        return verdict
    spans = [] if verdict.spans is msgspec.UNSET else verdict.spans
    return msgspec.structs.replace(
        verdict,
        spans=_counted(text, spans, options) if options.explain else msgspec.UNSET,
        masked=_masked(text, spans, options) if options.mask else msgspec.UNSET,
    )


def _masked(text: str, spans: list[Span], options: VerdictOptions) -> str:
    style = options.mask
    if style is None:
        return text
    return mask(text, ranges_of(spans, style.labels), style.char or MASK_CHAR, keep_first=bool(style.keep_first))


def _counted(text: str, spans: list[Span], options: VerdictOptions) -> list[Span]:
    if options.offsets != "utf16" or text.isascii():
        return spans
    units = list(accumulate((1 + (char > "\uffff") for char in text), initial=0))
    return [msgspec.structs.replace(span, start=units[span.start], end=units[span.end]) for span in spans]
