"""From the files to what a network is trained on: rows merged, dev texts out, shares chosen, noise put in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from bundles.text.normalise import normalise
from training.data.batches import Floats, TrainingSet, encode
from training.data.lexicon import CERTAIN_CURSES, INNOCENT_LINES, INNOCENT_WORDS, INTERJECTIONS, PLAIN_CURSE_LINES
from training.data.noise import Generator, disguise_text
from training.data.signals import SIGNAL_INDEX, SIGNALS, TOXIC_SIGNALS, Targets
from training.data.sources import EVERYDAY, Row, squashed, without_dev_texts

SYNTHETIC = "synthetic"
INNOCENT = "innocent"
INNOCENT_SENTENCES = "innocent_sentences"
CURSED = "cursed"
MADE_UP = (SYNTHETIC, INNOCENT, INNOCENT_SENTENCES, CURSED)
HARMLESS = (EVERYDAY, INNOCENT, INNOCENT_SENTENCES)
_INNOCENT_SENTENCES_FILE = Path(__file__).with_name("innocent_sentences.txt")
_CURSED_ROWS = 12_000
_CURSE_TARGETS: Targets = {"curse": 1.0, "kmhas/any": 1.0, "kmhas/curse": 1.0, "curse_detection/curse": 1.0}
_OFFENCE_TARGETS: Targets = {"beep/offensive": 1.0, "malicious/malicious": 1.0}


@dataclass(frozen=True)
class Mixture:
    """What one epoch is made of: rows taken a source, and the share of disguised texts.

    A source that is not named gives all its rows once; one that is to give more than it has gives some several times.
    """

    rows: Mapping[str, int]
    noise_share: float = 0.2
    max_length: int = 64


def merge(rows: Iterable[Row]) -> list[Row]:
    """One row a text, white space aside: sources that share a text each add what they say. The first keeps its name."""
    merged: dict[str, Row] = {}
    for row in rows:
        key = squashed(row.text)
        first = merged.get(key)
        merged[key] = row if first is None else Row(first.text, first.source, first.split, row.targets | first.targets)
    return list(merged.values())


def innocent_rows() -> list[Row]:
    """Made-up sentences whose words carry a curse's letters and mean no harm."""
    clean = dict.fromkeys(TOXIC_SIGNALS, 0.0)
    templated = [line.format(word=word) for word in INNOCENT_WORDS for line in INNOCENT_LINES]
    sentences = _INNOCENT_SENTENCES_FILE.read_text(encoding="utf-8").splitlines()
    return [
        *(Row(text, INNOCENT, "train", clean) for text in templated),
        *(Row(text, INNOCENT_SENTENCES, "train", clean) for text in sentences),
    ]


def curse_rows() -> list[Row]:
    """Made-up lines around outright curses."""
    targets = _CURSE_TARGETS | _OFFENCE_TARGETS
    return [
        Row(line.format(curse=curse), SYNTHETIC, "train", targets)
        for curse in CERTAIN_CURSES
        for line in PLAIN_CURSE_LINES
    ]


def cursed_rows(harmless: Sequence[Row]) -> list[Row]:
    """Harmless sentences with a curse put in between their words: the other half of a minimal pair."""
    generator = np.random.default_rng(_CURSED_ROWS)
    rows = []
    for index in generator.permutation(len(harmless))[:_CURSED_ROWS]:
        words = harmless[index].text.split()
        words.insert(int(generator.integers(len(words) + 1)), str(generator.choice(INTERJECTIONS)))
        rows.append(Row(" ".join(words), CURSED, "train", _CURSE_TARGETS))
    return rows


def training_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows to learn from: training splits of the files, merged, and the made-up ones; no dev text among them."""
    given = [*rows, *innocent_rows(), *curse_rows()]
    known = [row for row in without_dev_texts(given) if row.split == "train"]
    cursed = cursed_rows([row for row in known if row.source in (EVERYDAY, INNOCENT_SENTENCES)])
    return merge(row for row in without_dev_texts([*given, *cursed]) if row.split == "train")


def targets_of(rows: Sequence[Row]) -> Floats:
    """Targets `[rows, signals]`, NaN where a row's source is silent."""
    targets = np.full((len(rows), len(SIGNALS)), np.nan, dtype=np.float32)
    for index, row in enumerate(rows):
        for name, value in row.targets.items():
            targets[index, SIGNAL_INDEX[name]] = value
    return targets


def choose(rows: Sequence[Row], mixture: Mixture, generator: Generator) -> list[int]:
    """Indices of one epoch's rows: a fresh draw from each source, in which a row comes again only after all others."""
    by_source: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_source.setdefault(row.source, []).append(index)
    chosen: list[int] = []
    for source, indices in by_source.items():
        wanted = mixture.rows.get(source, len(indices))
        rounds = -(-wanted // len(indices))
        order = [position for _ in range(rounds) for position in generator.permutation(len(indices))]
        chosen.extend(indices[position] for position in order[:wanted])
    return chosen


def noised(text: str, share: float, generator: Generator) -> str:
    """`text`, disguised in `share` of the cases, as the model will read it."""
    if generator.random() < share:
        text = disguise_text(text, generator)
    return normalise(text)


@dataclass(frozen=True)
class EpochMaker:
    """Draws, disguises and tokenises an epoch's rows; `targets` go by row: labels, or soft ones."""

    rows: Sequence[Row]
    targets: Floats
    tokenizer: Tokenizer
    mixture: Mixture

    def __call__(self, _epoch: int, generator: Generator) -> TrainingSet:
        """The training set of one epoch; the generator decides everything that is random."""
        chosen = choose(self.rows, self.mixture, generator)
        texts = [noised(self.rows[index].text, self._noise_share(index), generator) for index in chosen]
        return TrainingSet(encode(self.tokenizer, texts, self.mixture.max_length), self.targets[chosen])

    def _noise_share(self, index: int) -> float:
        """A disguise would take the harmless meaning away from an innocent look-alike."""
        innocent = self.rows[index].source in (INNOCENT, INNOCENT_SENTENCES)
        return 0.0 if innocent else self.mixture.noise_share
