"""The words of a text as sent that stand behind those that the model read."""

from dataclasses import dataclass

from bundles.text.offsets import TracedText
from bundles.text.words import Range, words_of


@dataclass(frozen=True)
class SentWords:
    """`read` are ranges of the normalised text, `sent` those of the text as sent, whole words there: one for one."""

    read: list[Range]
    sent: list[Range]


def sent_words(traced: TracedText) -> SentWords:
    """The words of a text: what is one in the normalised text or in the text as sent is one.

    `씨 발` is read as one word, so it is one; `한글,영어` is sent as one word, so it is one.
    """
    read: list[Range] = []
    sent: list[Range] = []
    places = words_of(traced.sent)
    at = 0
    for word in words_of(traced.text):
        start, end = traced.sent_range(*word)
        while at < len(places) and places[at][1] <= start:
            at += 1
        if at < len(places) and places[at][0] < end:
            start = min(start, places[at][0])
        last = at
        while last < len(places) and places[last][0] < end:
            end = max(end, places[last][1])
            last += 1
        if sent and start < sent[-1][1]:
            read[-1], sent[-1] = (read[-1][0], word[1]), (sent[-1][0], max(end, sent[-1][1]))
        else:
            read.append(word)
            sent.append((start, end))
    return SentWords(read, sent)
