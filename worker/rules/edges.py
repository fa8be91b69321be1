"""Where a found term begins and ends, and whether a Korean reader would see it there."""

from functools import cached_property
from itertools import accumulate, pairwise

from bundles.text.hangul import is_syllable
from worker.rules import endings
from worker.rules.letters import Letters, is_hidden

# What may stand between the letters of a term, so many characters at most.
MAX_GAP = 3
# A word that is written apart has no more gaps than this.
MAX_PARTS = 30
# Between words these stand as a space does; other signs (섹#스) stand inside words.
_SEPARATORS = frozenset(",./·ㆍ:;!?…()[]{}<>「」『』\"'“”‘’、。，|\\")
_HIDDEN_AT_EDGES = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad")
# As many before a word as decide whether it begins there.
_CHARS_BEFORE = 8
_LAUGHTER = frozenset("ㅋㅎㅠㅜㅡ")
# Words of one syllable: 아 다 왔다 holds no 아다.
_WORDS_OF_ONE = frozenset(
    "아야어오그이저안못다더잘또왜나너네내제좀참수것거데때줄만등및게도를은는을의에와과요한두세몇각매첫온전후중간말일집물밤낮길눈비꽃달해별"
)


class Edges:
    """What stands around the letters of one text. What many terms ask of one place is found out once."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._starts: dict[int, bool] = {}
        self._ends: dict[int, bool] = {}
        self._before: dict[int, str] = {}
        self._after: dict[int, int] = {}

    def starts_whole(self, at: int) -> bool:
        """Whether the letter `at` begins a syllable or a character."""
        found = self._starts.get(at)
        if found is None:
            found = self._starts[at] = _starts_whole(self._letters, at)
        return found

    def ends_whole(self, end: int) -> bool:
        """Whether the letter before `end` ends a syllable or a character."""
        found = self._ends.get(end)
        if found is None:
            found = self._ends[end] = _ends_whole(self._letters, end)
        return found

    def is_word(self, at: int, end: int, *, apart: bool) -> bool:
        """Whether `letters.letters[at:end]` stands as a word, with or without Korean endings."""
        return self._begins_word(at, end) and self._ends_word(at, end, apart=apart)

    def gaps_are_plausible(self, at: int, end: int, breaks: frozenset[int]) -> tuple[bool, bool]:
        """Whether a reader joins the characters over what stands between them, and whether words stand apart so.

        `breaks` are places in the term where it has a space or a sign of its own.
        """
        letters = self._letters
        long_gaps, gaps = self._gaps
        if long_gaps[end - 1] > long_gaps[at]:
            return False, False
        if gaps[end - 1] == gaps[at]:
            return True, False
        if gaps[end - 1] - gaps[at] > MAX_PARTS + len(breaks):
            return False, False
        pieces, piece = [], letters.text[letters.places[at]]
        for place in range(at + 1, end):
            if letters.places[place] == letters.places[place - 1]:
                continue
            if gaps[place] > gaps[place - 1] and place - at not in breaks:
                pieces.append(piece)
                piece = ""
            piece += letters.text[letters.places[place]]
        if not pieces:
            return True, False
        return _reads_as_one([*pieces, piece]), True

    def are_next_to_each_other(self, at: int, end: int, breaks: frozenset[int]) -> bool:
        """Whether nothing but the term's own spaces stands between the characters."""
        count, places = self._apart, self._letters.places
        return count[end - 1] == count[at] or all(
            places[place] - places[place - 1] <= 1 or place - at in breaks for place in range(at + 1, end)
        )

    @cached_property
    def _apart(self) -> list[int]:
        """For each letter how many up to it do not stand right behind the one before."""
        return [0, *accumulate(here - before > 1 for before, here in pairwise(self._letters.places))]

    @cached_property
    def _gaps(self) -> tuple[list[int], list[int]]:
        """For each letter how many gaps up to it are too long to be read over, and how many part words."""
        text, places = self._letters.text, self._letters.places
        long_gaps, gaps = [0], [0]
        for before, here in pairwise(places):
            gap = [char for char in text[before + 1 : here] if not is_hidden(char)] if here - before > 1 else ()
            long_gaps.append(long_gaps[-1] + (len(gap) > MAX_GAP))
            gaps.append(gaps[-1] + any(char.isspace() or char in _SEPARATORS for char in gap))
        return long_gaps, gaps

    def _begins_word(self, at: int, end: int) -> bool:
        letters = self._letters
        first = letters.places[at]
        before, char = self._shown_before(first), letters.text[first]
        if not before:
            return True
        last = before[-1]
        if is_syllable(char):
            if endings.counts_something(before, char) and letters.places[end - 1] - first <= 2:
                return False
            head = _syllables_before(before)
            return not head or (end - at > 3 and endings.may_precede(head))
        if _is_loose(char):
            return not _is_loose(last) or last in _LAUGHTER
        if char.isalpha():
            return not (last.isalpha() and _is_latin(last) == _is_latin(char))
        return not (char.isalnum() and last.isalnum())

    def _ends_word(self, at: int, end: int, *, apart: bool) -> bool:
        text = self._letters.text
        last = self._letters.places[end - 1]
        rest = self._shown_after(last + 1)
        following = text[rest : rest + 1]
        if not following:
            return True
        tail = _syllables_after(text, rest)
        if tail and not _is_latin(text[last]) and not text[last].isdecimal():
            return endings.may_follow_apart(tail) if apart else endings.may_follow(_shown(self._letters, at, end), tail)
        return _ends_by(text[last], text[rest : rest + 3])

    def _shown_before(self, first: int) -> str:
        """The last characters before a place, without hidden ones at their end."""
        found = self._before.get(first)
        if found is None:
            text, stop = self._letters.text, first
            while stop and text[stop - 1] in _HIDDEN_AT_EDGES:
                stop -= 1
            found = self._before[first] = text[max(0, stop - _CHARS_BEFORE) : stop]
        return found

    def _shown_after(self, start: int) -> int:
        """The place of the first character from `start` on that is not hidden."""
        found = self._after.get(start)
        if found is None:
            found = self._after[start] = _skip_hidden(self._letters.text, start)
        return found


def _starts_whole(letters: Letters, at: int) -> bool:
    if not at:
        return True
    places = letters.places
    if places[at] == places[at - 1]:
        return False
    char = letters.text[places[at]]
    if "\u1160" <= char <= "\u11ff":
        return False  # a vowel or a final of NFD belongs to the syllable before
    is_adjacent = _is_adjacent(letters, places[at - 1], places[at])
    return not (is_adjacent and _is_loose_vowel(char) and _is_loose_consonant(letters.text[places[at - 1]]))


def _ends_whole(letters: Letters, end: int) -> bool:
    if end == len(letters.letters):
        return True
    if not _starts_whole(letters, end):
        return False
    places = letters.places
    last, following = letters.text[places[end - 1]], letters.text[places[end]]
    if not (_is_loose_vowel(last) and _is_loose_consonant(following)) or following in _LAUGHTER:
        return True
    # Spelt out, a consonant behind a vowel ends its syllable, unless a vowel follows or it is laughed again.
    behind = letters.letters[end + 1 : end + 2]
    return not _is_adjacent(letters, places[end - 1], places[end]) or _is_loose_vowel(behind) or behind == following


def _ends_by(char: str, rest: str) -> bool:
    """Whether a word that ends in `char`, no Korean ending behind it, ends before `rest`."""
    if _is_loose(char):
        return not _is_loose(rest[0]) or rest[0] in _LAUGHTER
    if _is_latin(char):
        plural = next((len(ending) for ending in ("es", "s") if rest.lower().startswith(ending)), 0)
        return len(rest) <= plural or not _is_latin(rest[plural])
    return not char.isdecimal() or not rest[0].isalnum()


def _reads_as_one(pieces: list[str]) -> bool:
    """Whether pieces with spaces between them are one word, written apart."""
    if all(_is_latin(piece[0]) for piece in pieces):
        return all(len(piece) == 1 for piece in pieces) or all(len(piece) > 2 for piece in pieces)
    if all(len(piece) == 1 for piece in pieces):
        return not all(piece in _WORDS_OF_ONE for piece in pieces)
    if sum(map(len, pieces)) < 3:
        return False
    return not any(piece in _WORDS_OF_ONE for piece in pieces)


def _shown(letters: Letters, at: int, end: int) -> str:
    """The characters of a match that have letters."""
    return "".join(letters.text[place] for place in dict.fromkeys(letters.places[at:end]))


def _syllables_before(text: str) -> str:
    start = len(text)
    while start and len(text) - start < 4 and is_syllable(text[start - 1]):
        start -= 1
    return text[start:]


def _syllables_after(text: str, start: int, most: int = 12) -> str:
    end = start
    while end < len(text) and end - start < most and is_syllable(text[end]):
        end += 1
    return text[start:end]


def _skip_hidden(text: str, start: int) -> int:
    while start < len(text) and is_hidden(text[start]):
        start += 1
    return start


def _is_adjacent(letters: Letters, before: int, here: int) -> bool:
    return all(map(is_hidden, letters.text[before + 1 : here]))


def _is_loose(char: str) -> bool:
    return "ㄱ" <= char <= "ㅣ"


def _is_loose_consonant(char: str) -> bool:
    return "ㄱ" <= char <= "ㅎ" or "\u1100" <= char <= "\u115f" or "ﾡ" <= char <= "ﾾ"


def _is_loose_vowel(char: str) -> bool:
    return "ㅏ" <= char <= "ㅣ" or "ￂ" <= char <= "ￜ"


def _is_latin(char: str) -> bool:
    return char.isalpha() and not is_syllable(char) and not _is_loose(char)


def ending_chars(text: str, start: int, end: int) -> int:
    """How many characters behind `text[start:end]` are endings of it."""
    tail = _syllables_after(text, end)
    return len(tail) if is_syllable(text[end - 1]) and endings.may_follow(text[start:end], tail) else 0
