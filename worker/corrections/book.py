"""The corrections in force, as a worker looks them up: hashes of texts, and no text.

One takes about 100 bytes (`python -m bench.corrections`), so MAX_CORRECTIONS bounds what a worker holds.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable

from bundles.text.identity import text_key
from shared.corrections.records import Correction

_LABEL_BITS = 16
_HASH_BYTES = 8


class CorrectionBook:
    """Read by many threads, changed by one.

    Two corrections may be for texts that are the same, disguises aside. The last one holds; when it is withdrawn, the
    one before it does.
    """

    def __init__(self) -> None:
        # Nobody outside knows it, so nobody can write a text that has another text's hash.
        self._secret = secrets.token_bytes(16)
        self._labels: list[str] = []
        # Hash of policy and text -> number of the correction, shifted, and the place of its label.
        self._current: dict[int, int] = {}
        # What it held before, by number: withdrawing one may bring an older one back. The last one is the newest.
        self._older: dict[int, dict[int, int]] = {}

    def __len__(self) -> int:
        """How many texts are answered by a correction."""
        return len(self._current)

    def find(self, text: str, policy: str | None = None) -> str | None:
        """What a person said that `text` is, under this policy or else under all; None where nobody did."""
        current = self._current
        if not current:
            return None
        key = text_key(text)
        packed = None if policy is None else current.get(self._hash(policy, key))
        if packed is None:
            packed = current.get(self._hash("", key))
        return None if packed is None else self._labels[packed & ((1 << _LABEL_BITS) - 1)]

    def replace(self, pages: Iterable[Collection[Correction]]) -> None:
        """Hold these and no others; oldest first. Until all are read, what was held before is."""
        current: dict[int, int] = {}
        older: dict[int, dict[int, int]] = {}
        for page in pages:
            for correction in page:
                self._put(correction, current, older)
        self._current, self._older = current, older

    def update(self, changed: Iterable[Correction], withdrawn: Collection[int]) -> None:
        """Add or replace some, oldest first, and drop those with the numbers `withdrawn`."""
        for correction in changed:
            self._put(correction, self._current, self._older)
        if withdrawn:
            self._drop(frozenset(withdrawn))

    def _put(self, correction: Correction, current: dict[int, int], older: dict[int, dict[int, int]]) -> None:
        record = correction.record
        at = self._hash(record.policy or "", text_key(record.text))
        before = current.get(at)
        # Thousands may be for one text, so none of them is looked at again.
        if before is not None and before >> _LABEL_BITS != correction.number:
            held = older.setdefault(at, {})
            held.pop(correction.number, None)
            held[before >> _LABEL_BITS] = before
        current[at] = correction.number << _LABEL_BITS | self._place_of(record.classification)

    def _drop(self, numbers: frozenset[int]) -> None:
        for held in self._older.values():
            for number in numbers & held.keys():
                del held[number]
        for at in [at for at, one in self._current.items() if one >> _LABEL_BITS in numbers]:
            if self._older.get(at):
                _, self._current[at] = self._older[at].popitem()
            else:
                del self._current[at]
        self._older = {at: held for at, held in self._older.items() if held}

    def _place_of(self, label: str) -> int:
        if label not in self._labels:
            self._labels.append(label)
        return self._labels.index(label)

    def _hash(self, policy: str, key: str) -> int:
        # A policy's name has no NUL, so no two pairs are one string.
        digest = hashlib.blake2b(f"{policy}\0{key}".encode(), digest_size=_HASH_BYTES, key=self._secret)
        return int.from_bytes(digest.digest())
