"""The cascade of a bundle, `cascade.msgpack`: a table that tells, in microseconds, texts that the model finds clean.

One weight for each piece and each hashed pair of pieces, as in fastText (Joulin et al., 2017). It answers only what is
certain and leaves the rest to the model, as the first stage of a cascade does (Viola and Jones, 2001). It is certified
for one graph, one tokenizer and one config, and is not used with others.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from operator import add, sub
from pathlib import Path
from typing import Self

import msgspec

from bundles.format import CONFIG_FILE, MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE, Bundle, Manifest
from shared.errors import BundleInvalidError

CASCADE_FILE = "cascade.msgpack"
CASCADE_VERSION = 2
CERTIFIED_FILES = (MODEL_FILE, TOKENIZER_FILE, CONFIG_FILE)
ZERO = 128
"""The byte of a weight that is 0; those of others lie around it."""
UNKNOWN = 0
"""The byte of a piece that was seen too rarely to be certain of any text with it."""
# Of the hash of a pair: bucket = (first * FIRST + second * SECOND + SHIFT) mod buckets.
FIRST, SECOND, SHIFT = 8_191, 131, 7


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on texts that the table was not fitted on.

    `share` of them is answered by it; the labels of `agreement` of all are those that the model gives. `padded`: texts
    of them that the model finds not clean also between clean sentences; of these it would answer `padded_lost`.
    """

    texts: int
    share: float
    agreement: float
    padded: int
    padded_lost: int


class CascadeTable(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds.

    `files`: the sha256 of each of `CERTIFIED_FILES`; `pieces`: the size of the vocabulary, whose weights come first in
    `weights`, before those of the pairs; `step`: what one unit of a weight adds to the margin; `cut`: the margin below
    which a text may be certainly clean; `peaks`: lengths in pieces, 0 for any, each with the sum of weights, in logits,
    that no stretch of that length in the text may reach, so that clean words around a bad one do not outweigh it;
    `most_tokens`: those of the longest text that it is asked about; `knots`: margins,
    rising, each with the logits `[labels]` that the model gives texts of that margin in the mean.
    """

    format_version: int = CASCADE_VERSION
    files: dict[str, str]
    pieces: int
    weights: bytes
    step: float
    bias: float
    cut: float
    peaks: list[tuple[int, float]]
    most_tokens: int
    knots: list[tuple[float, list[float]]]
    certificate: Certificate

    def certain(self, ids: Sequence[int]) -> float | None:
        """The margin of a text that is certainly clean, special tokens included; None where the model must read it."""
        if len(ids) > self.most_tokens:
            return None
        own, pairs = weights_of(ids, self.weights, self.pieces)
        if UNKNOWN in own:
            return None
        margin = self._margin(own, pairs)
        return margin if margin < self.cut and self._has_no_peak(own, pairs) else None

    def is_calm(self, ids: Sequence[int]) -> bool:
        """Whether no stretch of a sentence says that something may be wrong, so that it need not be read besides."""
        own, pairs = weights_of(ids, self.weights, self.pieces)
        return UNKNOWN not in own and self._has_no_peak(own, pairs)

    def _has_no_peak(self, own: bytes, pairs: bytes) -> bool:
        own, pairs = own[1:-1], pairs[1:-1]
        return all(self.step * _peak(own, pairs, length) < cut for length, cut in self.peaks)

    def margin(self, ids: Sequence[int]) -> float | None:
        """How far the text of these token ids, special tokens included, is from clean, in logits; None if unknown.

        Plain Python: of the two dozen tokens of a comment it takes a third of the time of NumPy's calls.
        """
        own, pairs = weights_of(ids, self.weights, self.pieces)
        return None if UNKNOWN in own else self._margin(own, pairs)

    def _margin(self, own: bytes, pairs: bytes) -> float:
        units = sum(own) + sum(pairs) - ZERO * (len(own) + len(pairs))
        return self.bias + self.step * units / math.sqrt(len(own))

    def logits_at(self, margin: float) -> list[float]:
        """The logits to answer with: on the line between the two knots around `margin`."""
        (low, before), *rest = self.knots
        if margin <= low:
            return before
        for high, after in rest:
            if margin < high:
                share = (margin - low) / (high - low)
                return [a + share * (b - a) for a, b in zip(before, after, strict=True)]
            low, before = high, after
        return before

    def faults(self, labels: int) -> list[str]:
        """What makes it unusable for a model of so many labels."""
        margins = [margin for margin, _ in self.knots]
        found = [
            (self.format_version != CASCADE_VERSION, f"it has format_version {self.format_version}"),
            (not 0 < self.pieces < len(self.weights), "its table has no room for pieces and pairs"),
            (not margins or sorted(set(margins)) != margins, "its knots must rise"),
            (any(len(logits) != labels for _, logits in self.knots), f"its knots need {labels} logits each"),
            (not self.peaks or any(length < 0 for length, _ in self.peaks), "its peaks need a length"),
            (not all(map(math.isfinite, self._numbers())), "it has a number that is not finite"),
        ]
        return [said for is_so, said in found if is_so]

    def _numbers(self) -> list[float]:
        cuts = [self.cut, *(cut for _, cut in self.peaks)]
        return [self.step, self.bias, *cuts, *(value for margin, row in self.knots for value in (margin, *row))]

    def is_for(self, files: Mapping[str, str]) -> bool:
        """Whether these hashes of a bundle's files are those that it was certified for."""
        return all(self.files.get(name) == files.get(name) for name in CERTIFIED_FILES)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            BundleInvalidError: it is no cascade.
        """
        try:
            data = path.read_bytes()
            version = msgspec.msgpack.decode(data, type=_Version).format_version
            if version != CASCADE_VERSION:
                raise BundleInvalidError(f"{path} has format_version {version}, not {CASCADE_VERSION}")
            return msgspec.msgpack.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise BundleInvalidError(f"{path} cannot be read: {error}") from error


class _Version(msgspec.Struct, frozen=True):
    """What is read first of a file, whose other fields may be those of another version."""

    format_version: int


def peaks_of(ids: Sequence[int], weights: bytes, pieces: int, lengths: Sequence[int]) -> list[int]:
    """The largest sum, in units, of the pieces of a stretch and the pairs in it, for each length; 0 is any length.

    A shorter text is one stretch. Special tokens and their pairs are left out, so words around a text raise the peak of
    any length (Kadane's maximum subarray) or leave it: they never lower it.
    """
    own, pairs = weights_of(ids, weights, pieces)
    return [_peak(own[1:-1], pairs[1:-1], length) for length in lengths]


def weights_of(ids: Sequence[int], weights: bytes, pieces: int) -> tuple[bytes, bytes]:
    """The byte of each piece's weight, and of each pair's of a piece and the next one."""
    own_of, pair_of, first_of, second_of = _tables(weights, pieces)
    own = bytes([own_of[piece] for piece in ids])
    return own, bytes([pair_of[first_of[first] + second_of[second]] for first, second in pairwise(ids)])


@lru_cache(2)
def _tables(weights: bytes, pieces: int) -> tuple[bytes, bytes, list[int], list[int]]:
    """The weights of pieces and of pairs, and what the first and the second piece of a pair add to its bucket.

    The weights of pairs are there twice, so that nobody has to divide the sum by their number. Of one model, this takes
    a megabyte.
    """
    own, pairs = weights[:pieces], weights[pieces:]
    buckets = len(pairs)
    first_of = [(piece * FIRST + SHIFT) % buckets for piece in range(pieces)]
    second_of = [piece * SECOND % buckets for piece in range(pieces)]
    return own, pairs + pairs, first_of, second_of


def _peak(own: bytes, pairs: bytes, length: int) -> int:
    """The largest sum, in units, of a stretch of these pieces and the pairs inside it."""
    if not own:
        return 0
    if not length:
        return _highest(own, pairs)
    # A stretch from piece a to b is ends[b] - starts[a].
    starts = list(accumulate(map(add, own, pairs), lambda sum_, both: sum_ + both - 2 * ZERO, initial=0))
    ends = [start + weight - ZERO for start, weight in zip(starts, own, strict=True)]
    return max(map(sub, ends[length - 1 :], starts)) if length <= len(ends) else ends[-1]


def _highest(own: bytes, pairs: bytes) -> int:
    """The largest sum of a stretch of any length: Kadane's maximum subarray."""
    highest = here = own[0] - ZERO
    for weight, pair in zip(own[1:], pairs, strict=True):
        # The best stretch that ends here goes on from the one before, or begins anew.
        here += pair - ZERO
        here = here + weight - ZERO if here > 0 else weight - ZERO
        if here > highest:  # noqa: PLR1730  a call for each piece would take half of the time
            highest = here
    return highest


def cascade_of(bundle: Bundle) -> CascadeTable | None:
    """The cascade in a bundle whose files were verified; None if it has none.

    Raises:
        BundleInvalidError: it cannot be used, or was certified for another model: names why.
    """
    path = bundle.path / CASCADE_FILE
    if not path.is_file():
        return None
    table = CascadeTable.read(path)
    faults = table.faults(len(bundle.config.labels))
    if faults:
        raise BundleInvalidError(f"{path}: {'; '.join(faults)}")
    if not table.is_for(hashes_of(bundle)):
        raise BundleInvalidError(f"{path} was certified for another graph, tokenizer or config")
    return table


def hashes_of(bundle: Bundle) -> dict[str, str]:
    """The sha256 of each file, as the bundle's manifest has them."""
    return msgspec.json.decode((bundle.path / MANIFEST_FILE).read_bytes(), type=Manifest).files
