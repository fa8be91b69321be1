"""Finds the terms of a policy in a text, all at once (Aho and Corasick, 1975), and where they are in the text as sent.

They are looked for in the letters of the text (`letters`), of the text as the model reads it, so that what its
normaliser undoes is found too, and of the text without what is put between syllables (섹1스). Without a term in it, a
text costs one pass of the automaton over its letters.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter, itemgetter

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from bundles.text.hangul import is_syllable, to_keys
from bundles.text.normalise import CURRENT, normalise_once
from bundles.text.offsets import trace
from shared.policies.nesting import too_many_nested
from shared.policies.pauses import with_pauses
from shared.policies.records import AllowedTerm, DeniedTerm, MatchBy, Policy
from shared.verdict import Match
from worker.rules.edges import Edges, ending_chars
from worker.rules.letters import Letters, fold, letters_of

# Reported of one text.
MAX_MATCHES = 50
# Letters of the strings of one automaton, which takes some ten milliseconds to build.
MAX_LETTERS = 30_000
# A Hangul term typed with the keyboard on English (tlqkf) is looked for from so many keys.
MIN_KEYS = 5
# Letters have no capitals and no control characters.
_ONE_BYTE = str.maketrans(
    "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎㅏㅐㅑㅒㅓㅔㅕㅖㅗㅛㅜㅠㅡㅣ", "ABCDEFGHIJKLMNOPQRSTUVWXYZ\1\2\3\4\5\6\7"
)
_FILLED = re.compile("(?<=[ㄱ-ㅣ가-힣])[0-9xX]{1,2}(?=[ㄱ-ㅣ가-힣])")


Hits = list[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A term as it is looked for. `label` is None for an allowed one; `breaks` are where it has spaces or signs."""

    term: str
    label: str | None
    match: MatchBy
    breaks: frozenset[int]

    def at(self, text: str, start: int, end: int) -> Match:
        """A match of it."""
        return Match("allow" if self.label is None else "deny", self.term, self.label, start, end, text[start:end])


class Automata:
    """Finds strings, by one automaton or several: building one keeps every other thread of the worker waiting.

    Of letters (`letters_of`) an automaton sees jamo as one byte each, where UTF-8 has three: it takes memory by bytes.
    """

    def __init__(self, patterns: Iterable[str], *, are_letters: bool = False) -> None:
        self._are_letters = are_letters
        self._parts: list[tuple[int, AhoCorasick]] = []
        part: list[str] = []
        first = size = 0
        for place, pattern in enumerate([*patterns, ""]):
            if part and (not pattern or size > MAX_LETTERS):
                self._parts.append((first, _automaton(part)))
                part, first, size = [], place, 0
            part.append(pattern.translate(_ONE_BYTE) if are_letters else pattern)
            size += len(pattern)

    def find(self, text: str) -> Hits:
        """Every place of each: (which, start, end), in the order of their ends, of which the longest is first."""
        hits: Hits = []
        if self._are_letters:
            text = text.translate(_ONE_BYTE)
        for first, automaton in self._parts:
            found = automaton.find_matches_as_indexes(text, overlapping=True)
            hits += [(first + which, start, end) for which, start, end in found] if first else found
        return sorted(hits, key=itemgetter(2, 1)) if len(self._parts) > 1 else hits


@dataclass(frozen=True, slots=True)
class Found:
    """The matches in a text, denied ones first, and the ranges that the model must not read."""

    matches: list[Match]
    unread: list[tuple[int, int]]


NOTHING = Found([], [])


class Words:
    """The lists of one policy, ready to be looked for. Thread-safe.

    `left_out` is how many entries would never be found, because too many others are found at the same place.
    """

    def __init__(self, policy: Policy) -> None:
        self.terms = policy.entries
        by_letters: dict[str, list[Entry]] = {}
        by_sign: dict[str, list[Entry]] = {}
        terms: list[DeniedTerm | AllowedTerm] = [*policy.deny, *policy.allow]
        for entry in map(_entry, with_pauses(terms)):
            letters = letters_of(entry.term)
            if not letters:
                by_sign.setdefault(fold(entry.term), []).append(entry)
                continue
            by_letters.setdefault(letters, []).append(entry)
            if entry.label is not None and (keys := _keys(entry.term)):
                by_letters.setdefault(keys, []).append(entry)
        self.left_out = _cut_nested(by_letters) + _cut_nested(by_sign)
        self._lists = list(by_letters.values())
        self._automata = Automata(by_letters, are_letters=True)
        self._signs = list(by_sign.values())
        self._sign_automata = Automata(by_sign)

    def find(self, text: str) -> Found:
        """All that is denied or allowed in `text`."""
        hits = [*self._in_letters(text), *self._in_signs(text), *self._in_normalised(text)]
        if not hits:
            return NOTHING
        allowed = [match for match in hits if match.label is None]
        denied = _not_covered([match for match in hits if match.label is not None], allowed)
        unread = [_with_ending(text, match) for match in allowed]
        return Found(_once([*denied, *allowed])[:MAX_MATCHES], unread)

    def _in_letters(self, text: str) -> Iterator[Match]:
        if hits := self._hits(text):
            yield from self._matches(Letters.of(text), hits)
        if _FILLED.search(text):
            dropped = frozenset(place for found in _FILLED.finditer(text) for place in range(*found.span()))
            if hits := self._hits(_FILLED.sub("", text)):
                yield from self._matches(Letters.of(text, dropped), hits)

    def _in_normalised(self, text: str) -> Iterator[Match]:
        """Denied terms alone: what is written in disguise is not innocent."""
        normalised = normalise_once(text)
        if normalised == text or not (hits := self._hits(normalised)):
            return
        traced = trace(text, CURRENT)
        for match in self._matches(Letters.of(traced.text), hits):
            if match.label is not None:
                start, end = traced.sent_range(match.start, match.end)
                yield Match("deny", match.term, match.label, start, end, text[start:end])

    def _hits(self, text: str) -> Hits:
        """Where letters of terms are among the letters of `text`: (which, start, end)."""
        return self._automata.find(letters_of(text))

    def _matches(self, letters: Letters, hits: Hits) -> Iterator[Match]:
        edges = Edges(letters)
        for which, at, end in hits:
            if not (edges.starts_whole(at) and edges.ends_whole(end)):
                continue
            for entry in self._lists[which]:
                if _stands(entry, edges, at, end):
                    yield entry.at(letters.text, letters.places[at], letters.places[end - 1] + 1)

    def _in_signs(self, text: str) -> Iterator[Match]:
        """Terms without a letter (🖕, ^^), as they stand."""
        for which, start, end in self._sign_automata.find(text):
            yield from (entry.at(text, start, end) for entry in self._signs[which])


def _automaton(patterns: Sequence[str]) -> AhoCorasick:
    """An automaton with a few bytes for each letter. Left alone, the library takes some 600 for few strings."""
    return AhoCorasick(
        patterns,
        matchkind=MatchKind.Standard,
        store_patterns=False,
        implementation=Implementation.ContiguousNFA,
    )


def _stands(entry: Entry, edges: Edges, at: int, end: int) -> bool:
    """Whether an entry whose letters are there is there for a reader."""
    is_joined, is_apart = edges.gaps_are_plausible(at, end, entry.breaks)
    if not is_joined:
        return False
    if entry.label is None and (is_apart or not edges.are_next_to_each_other(at, end, entry.breaks)):
        return False
    return (entry.match == "part" and not is_apart) or edges.is_word(at, end, apart=is_apart)


def _cut_nested(lists: dict[str, list[Entry]]) -> int:
    """Leave out entries of which too many would be found at one place; returns how many."""
    cut = too_many_nested({text: len(entries) for text, entries in lists.items()})
    left_out = 0
    for text, kept in cut.items():
        left_out += len(lists[text]) - kept
        lists[text] = lists[text][:kept]
        if not kept:
            del lists[text]
    return left_out


def _entry(term: DeniedTerm | AllowedTerm) -> Entry:
    label = term.label if isinstance(term, DeniedTerm) else None
    letters = Letters.of(term.term)
    pairs = zip(letters.places, letters.places[1:], strict=False)
    breaks = frozenset(place for place, (before, after) in enumerate(pairs, start=1) if after - before > 1)
    return Entry(term.term, label, term.match, breaks)


def _keys(term: str) -> str:
    """The keys that type a Hangul term, where they are too many to be an English word by chance."""
    if not all(map(is_syllable, term)):
        return ""
    keys = to_keys(term).lower()
    return keys if len(keys) >= MIN_KEYS else ""


def _not_covered(denied: Sequence[Match], allowed: Sequence[Match]) -> list[Match]:
    """The denied matches that no allowed one contains: a text may have thousands of each."""
    ordered = sorted(allowed, key=attrgetter("start"))
    starts = [match.start for match in ordered]
    # The furthest end of all that begin no later.
    furthest = [0, *accumulate((match.end for match in ordered), max)]
    return [match for match in denied if furthest[bisect_right(starts, match.start)] < match.end]


def _once(matches: Sequence[Match]) -> list[Match]:
    """Each entry once at each place: what was found in two forms of a text may differ by a sign at its edge."""
    kept: list[Match] = []
    ranges: dict[tuple[str, str | None], list[tuple[int, int]]] = {}
    for match in matches:
        of_entry = ranges.setdefault((match.term, match.label), [])
        if not any(start < match.end and match.start < end for start, end in of_entry):
            of_entry.append((match.start, match.end))
            kept.append(match)
        if len(kept) == MAX_MATCHES:
            break
    return kept


def _with_ending(text: str, match: Match) -> tuple[int, int]:
    """The range of an allowed term with the endings behind it, which say nothing on their own."""
    return match.start, match.end + ending_chars(text, match.start, match.end)
