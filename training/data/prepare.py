"""From the files to what a network is trained on: rows merged, dev texts out, shares chosen, noise put in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from bundles.text.normalise import normalise
from shared.errors import ModelSourceError
from training.data.batches import Floats, TrainingSet, encode
from training.data.composed import GRAMMARS, composed
from training.data.lexicon import CERTAIN_CURSES, INNOCENT_LINES, INNOCENT_WORDS, INTERJECTIONS, PLAIN_CURSE_LINES
from training.data.noise import Generator, disguise_text
from training.data.signals import ANY, CLEAN, SERVED, TARGET_INDEX, TARGETS, Targets, bad
from training.data.sources import EVERYDAY, Row, held_out_rows, squashed, without_dev_texts

SYNTHETIC = "synthetic"
INNOCENT = "innocent"
INNOCENT_SENTENCES = "innocent_sentences"
CURSED = "cursed"
CORRECTIONS = "corrections/people"
MADE_UP = (SYNTHETIC, INNOCENT, INNOCENT_SENTENCES, CURSED)
HARMLESS = (EVERYDAY, INNOCENT, INNOCENT_SENTENCES)
_INNOCENT_SENTENCES_FILE = Path(__file__).with_name("innocent_sentences.txt")
_CURSED_ROWS = 12_000
FAMILIES = Path(__file__).with_name("families")
_NEITHER = ("headlines", "square_questions", "clean/facts", "clean/replies")
_MOST_AROUND = 8
_LEAST_ROOM = 6
_PLEASANT_CHARS = (5, 60)


@dataclass(frozen=True)
class Mixture:
    """What one epoch is made of: rows taken a source, and the shares of texts that are disguised and surrounded.

    A source that is not named gives all its rows once; one that is to give more than it has gives some several times.
    `source:bad` names the bad rows of a source apart.
    """

    rows: Mapping[str, int]
    noise_share: float = 0.2
    padded_share: float = 0.0  # texts put between harmless sentences
    padded_bad_share: float | None = None  # of the bad ones, where more of them are to be surrounded
    max_length: int = 64
    family_rounds: int = 1  # times that each sentence written for a family is read, unless its source is named
    family_rows: int | None = None  # or so many of each family
    later_share: float = 1.0  # of all this, in each epoch after the first

    def wanted(self, source: str, available: int, epoch: int = 0) -> int:
        """Rows to take in an epoch of a source that has `available`."""
        return int(self._wanted(source, available) * (self.later_share if epoch else 1.0))

    def _wanted(self, source: str, available: int) -> int:
        if source in self.rows:
            return self.rows[source]
        if "/" not in source:
            return available
        return self.family_rounds * available if self.family_rows is None else min(self.family_rows, available)


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
    templated = [line.format(word=word) for word in INNOCENT_WORDS for line in INNOCENT_LINES]
    sentences = _INNOCENT_SENTENCES_FILE.read_text(encoding="utf-8").splitlines()
    return [
        *(Row(text, INNOCENT, "train", dict(CLEAN)) for text in templated),
        *(Row(text, INNOCENT_SENTENCES, "train", dict(CLEAN)) for text in sentences),
    ]


def curse_rows() -> list[Row]:
    """Made-up lines around outright curses."""
    return [
        Row(line.format(curse=curse), SYNTHETIC, "train", bad("curse", threat=0.0))
        for curse in CERTAIN_CURSES
        for line in PLAIN_CURSE_LINES
    ]


def family_rows(folder: Path = FAMILIES) -> list[Row]:
    """Sentences written for the kinds of text that the sources lack: `clean/*.txt`, `bad/*.tsv` (labels, text)."""
    rows = []
    for path in sorted((folder / "clean").glob("*.txt")):
        texts = path.read_text(encoding="utf-8").splitlines()
        rows += [Row(text, f"clean/{path.stem}", "train", dict(CLEAN)) for text in texts if text.strip()]
    for path in sorted((folder / "bad").glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            labels, _, text = line.partition("\t")
            if text.strip():
                rows.append(Row(text, f"bad/{path.stem}", "train", _as_written(labels.split(","))))
    return rows


def composed_rows(folder: Path = GRAMMARS) -> list[Row]:
    """Sentences composed for those kinds from the patterns in `clean/*.txt` and `bad/*.txt`.

    What was written as a sentence stands as it was written, whatever a pattern makes of the same words.
    """
    written = {squashed(row.text) for row in family_rows()}
    rows = []
    for path in sorted(folder.glob("clean/*.txt")):
        rows += [Row(text, f"clean/composed_{path.stem}", "train", dict(CLEAN)) for _, text in composed(path)]
    for path in sorted(folder.glob("bad/*.txt")):
        for labels, text in composed(path):
            rows.append(Row(text, f"bad/composed_{path.stem}", "train", _as_written(labels.split(","))))
    return [row for row in rows if squashed(row.text) not in written]


def _as_written(labels: Sequence[str]) -> Targets:
    """A writer who names no curse or threat means that there is none; contempt may be more than was named."""
    silent = {name: 0.0 for name in ("curse", "threat") if name not in labels}
    kinds = [label for label in labels if label.startswith("hate/")]
    if kinds:
        silent |= {name: 0.0 for name in SERVED if name.startswith("hate/") and name not in labels}
    return bad(*labels, *(("hate",) if kinds else ()), **silent)


def cursed_rows(harmless: Sequence[Row]) -> list[Row]:
    """Harmless sentences with a curse put in between their words: the other half of a minimal pair."""
    generator = np.random.default_rng(_CURSED_ROWS)
    rows = []
    for index in generator.permutation(len(harmless))[:_CURSED_ROWS]:
        words = harmless[index].text.split()
        words.insert(int(generator.integers(len(words) + 1)), str(generator.choice(INTERJECTIONS)))
        rows.append(Row(" ".join(words), CURSED, "train", bad("curse", threat=0.0)))
    return rows


def sentiment_rows(rows: Iterable[Row], train: Iterable[Row], folder: Path = FAMILIES) -> list[tuple[Row, str]]:
    """Rows with their tone: sentences written for it (`sentiment/*.txt`), and sources that take no side.

    `rows` are all there are, of which `train` may be learnt from.
    """
    written = [
        Row(text, f"sentiment/{path.stem}", "train")
        for path in sorted((folder / "sentiment").glob("*.txt"))
        for text in path.read_text(encoding="utf-8").splitlines()
        if text.strip()
    ]
    kept = [
        row for row in without_dev_texts([*rows, *held_out_rows(), *written]) if row.source.startswith("sentiment/")
    ]
    tones = [(row, row.source.removeprefix("sentiment/")) for row in kept]
    return tones + [(row, "neutral") for row in train if row.source in _NEITHER]


def correction_rows(texts: Iterable[tuple[str, str]]) -> list[Row]:
    """Texts with what people said that they are, as rows of a source that is read as often as a family's.

    Raises:
        ModelSourceError: the embedded model has no such label.
    """
    rows = []
    for text, said in texts:
        if said != "clean" and said not in SERVED:
            raise ModelSourceError(f"a correction says {said}; the embedded model has clean, {', '.join(SERVED)}")
        rows.append(Row(text, CORRECTIONS, "train", dict(CLEAN) if said == "clean" else _as_written([said])))
    return rows


def training_rows(rows: Iterable[Row], corrections: Iterable[Row] = ()) -> list[Row]:
    """The rows to learn from: training splits of the files, merged, and the made-up ones; no dev or test text.

    What corrections say of a text overrules what the other sources say.
    """
    made_up = (*innocent_rows(), *curse_rows(), *family_rows(), *composed_rows())
    given = [*corrections, *rows, *held_out_rows(), *made_up]
    known = [row for row in without_dev_texts(given) if row.split == "train"]
    cursed = cursed_rows([row for row in known if row.source in (EVERYDAY, INNOCENT_SENTENCES)])
    return merge(row for row in without_dev_texts([*given, *cursed]) if row.split == "train")


def targets_of(rows: Sequence[Row]) -> Floats:
    """Targets `[rows, TARGETS]`, NaN where a row's source is silent."""
    targets = np.full((len(rows), len(TARGETS)), np.nan, dtype=np.float32)
    for index, row in enumerate(rows):
        for name, value in row.targets.items():
            targets[index, TARGET_INDEX[name]] = value
    return targets


def choose(rows: Sequence[Row], mixture: Mixture, generator: Generator, epoch: int = 0) -> list[int]:
    """Indices of one epoch's rows: a fresh draw from each source, in which a row comes again only after all others."""
    by_source: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        bad = f"{row.source}:bad"
        name = bad if bad in mixture.rows and row.targets.get(ANY) == 1 else row.source
        by_source.setdefault(name, []).append(index)
    chosen: list[int] = []
    for source, indices in by_source.items():
        wanted = mixture.wanted(source, len(indices), epoch)
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
    """Draws, disguises, surrounds and tokenises an epoch's rows; `targets` go by row: labels, or soft ones.

    `pleasant`: harmless sentences to put around some texts, good and bad alike, so that neither length nor company
    says anything.
    """

    rows: Sequence[Row]
    targets: Floats
    tokenizer: Tokenizer
    mixture: Mixture
    pleasant: Sequence[str] = ()

    def __call__(self, epoch: int, generator: Generator) -> TrainingSet:
        """The training set of one epoch; the generator decides everything that is random."""
        chosen = choose(self.rows, self.mixture, generator, epoch)
        texts = [noised(self.rows[index].text, self._noise_share(index), generator) for index in chosen]
        ids = encode(self.tokenizer, texts, self.mixture.max_length)
        padded = generator.random(len(texts)) < [self._padded_share(index) for index in chosen]
        pleasant = encode(self.tokenizer, self.pleasant, self.mixture.max_length)
        ids = [self._surrounded(row, pleasant, generator) if pad else row for row, pad in zip(ids, padded, strict=True)]
        return TrainingSet(ids, self.targets[chosen])

    def _padded_share(self, index: int) -> float:
        if not self.pleasant:
            return 0.0
        bad, share = self.rows[index].targets.get(ANY) == 1, self.mixture.padded_bad_share
        return share if bad and share is not None else self.mixture.padded_share

    def _surrounded(self, ids: list[int], pleasant: list[list[int]], generator: Generator) -> list[int]:
        """A text's ids between up to eight harmless sentences on each side, of which a window shows what has room.

        So the text stands anywhere in the window, and sentences are cut off at its ends, as in a long text.
        """
        room = self.mixture.max_length - len(ids)
        if room < _LEAST_ROOM:
            return ids
        before, after = (self._run_of(pleasant, generator) for _ in range(2))
        left = before[-room:][-int(generator.integers(1, room + 1)) :]
        return [ids[0], *left, *ids[1:-1], *after[: room - len(left)], ids[-1]]

    def _run_of(self, pleasant: list[list[int]], generator: Generator) -> list[int]:
        chosen = generator.integers(0, len(pleasant), int(generator.integers(0, _MOST_AROUND + 1)))
        return [token for index in chosen for token in pleasant[int(index)][1:-1]]

    def _noise_share(self, index: int) -> float:
        """A disguise would take the harmless meaning away from an innocent look-alike, or the sense from a sign."""
        source = self.rows[index].source
        plain = source in (INNOCENT, INNOCENT_SENTENCES) or source.startswith("clean/") or source == "bad/disguised"
        return 0.0 if plain else self.mixture.noise_share


def pleasant_sentences(rows: Iterable[Row]) -> list[str]:
    """Short harmless sentences among training rows."""
    sources = (EVERYDAY, "clean/friendly", "clean/groups", "clean/homographs", "kda")
    return [
        normalise(row.text)
        for row in rows
        if row.source in sources
        and row.targets.get(ANY) == 0
        and _PLEASANT_CHARS[0] <= len(row.text) < _PLEASANT_CHARS[1]
    ]
