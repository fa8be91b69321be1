"""Certifies a cascade for a bundle: where it may answer, what it answers with, and what that costs on other texts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from bundles.cascade import CASCADE_FILE, CERTIFIED_FILES, CascadeTable, Certificate, hashes_of
from bundles.format import Bundle, load_bundle, write_manifest
from shared.errors import ModelSourceError
from training.data.batches import Floats
from training.learn.cascade import Table
from training.learn.metrics import Flags
from training.ship.cascade_plan import CutPlan
from training.ship.serving import STANDARD, Taxonomy, calibrated_logits, scores_of

GRAVE = ("curse", "threat")
"""Labels of which no text may be lost."""
_NEAR_ONE = 1e-4
_UNLIMITED = 1e6  # a cut that nothing reaches, where no text says which


@dataclass(frozen=True)
class Said:
    """Texts as the model read them: the token ids of each one's first window, its windows, and its logits."""

    texts: Sequence[str]
    sources: Sequence[str]
    ids: Sequence[Sequence[int]]
    windows: Sequence[int]
    logits: Floats
    taxonomy: Taxonomy = field(repr=False)

    @cached_property
    def scores(self) -> Floats:
        """Scores `[texts, labels]`."""
        return scores_of(self.logits, self.taxonomy)

    @cached_property
    def clean(self) -> Floats:
        """The score of `clean`, by text."""
        found: Floats = 1 - self.scores[:, self.taxonomy.accusing].max(axis=1)
        return found

    @cached_property
    def bad(self) -> Flags:
        """Whether the model finds each text anything but clean at `standard`."""
        return self.any_of([label for label in self.taxonomy.names if "/" not in label])

    @property
    def grave(self) -> Flags:
        """Whether it finds a label of which no text may be lost."""
        return self.any_of(GRAVE)

    def any_of(self, labels: Sequence[str]) -> Flags:
        """Whether it finds one of these labels in each text."""
        places = [index for index, name in enumerate(self.taxonomy.names) if name in labels]
        turns = np.array([self.taxonomy.labels[index].thresholds[STANDARD] for index in places])
        return np.asarray((self.scores[:, places] >= turns - 1e-9).any(axis=1))

    def suspicious(self, score: float) -> Flags:
        """Whether the highest score of each text, that of `clean` aside, is at least `score`."""
        return np.asarray(self.clean <= 1 - score)

    def margins(self, table: Table, most_tokens: int) -> Floats:
        """The table's margins, infinite where it is not asked."""
        asked = [count == 1 and len(row) <= most_tokens for count, row in zip(self.windows, self.ids, strict=True)]
        return np.where(asked, table.margins(self.ids), np.inf).astype(np.float32)

    def part(self, chosen: Flags) -> "Said":
        """The chosen texts."""
        at = np.flatnonzero(chosen).tolist()
        return Said(
            [self.texts[i] for i in at],
            [self.sources[i] for i in at],
            [self.ids[i] for i in at],
            [self.windows[i] for i in at],
            self.logits[at],
            self.taxonomy,
        )


def choose_peaks(table: Table, said: Said, plan: CutPlan) -> list[tuple[int, float]]:
    """The sums that no stretch of each length may reach, chosen on texts that the table was not fitted on."""
    known = np.isfinite(said.margins(table, plan.most_tokens))
    peaks = np.where(known[:, None], table.peaks(said.ids, plan.peaks), np.inf)
    limits = [
        min(_limit(column[said.bad], plan.most_hidden), _limit(column[said.grave], plan.most_grave_hidden))
        for column in peaks.T
    ]
    return [
        (length, min(limit - plan.peak_slack, _UNLIMITED))
        for length, limit in zip(plan.peaks, map(float, limits), strict=True)
    ]


Peaks = Sequence[tuple[int, float]]


def _asked_margins(table: Table, said: Said, plan: CutPlan, peaks: Peaks) -> Floats:
    """The table's margins, infinite where it is not asked or a stretch reaches its peak."""
    found = table.peaks(said.ids, [length for length, _ in peaks])
    is_calm = (found < np.array([cut for _, cut in peaks], dtype=np.float32)).all(axis=1)
    return np.where(is_calm, said.margins(table, plan.most_tokens), np.inf).astype(np.float32)


def choose_cut(table: Table, said: Said, plan: CutPlan, peaks: Peaks = ()) -> float:
    """The margin below which the table may answer, chosen on texts that it was not fitted on.

    With `peaks`, a text of which a stretch reaches its peak is not answered whatever its margin.

    Raises:
        ModelSourceError: it knows none of them.
    """
    margins = _asked_margins(table, said, plan, peaks)
    known = margins[np.isfinite(margins)]
    if not len(known):
        raise ModelSourceError("the cascade knows none of the texts that its cut is chosen on")
    limits = [
        float(np.nextafter(known.max(), np.float32(np.inf))),  # where all texts are clean, all may be answered
        _limit(margins[said.bad], plan.most_lost),
        _limit(margins[said.grave], plan.most_grave_lost),
    ]
    return min(limits) - plan.slack


def _limit(margins: Floats, share: float) -> float:
    """The margin below which at most this share of the texts lies."""
    ordered = np.sort(margins)
    place = int(share * len(ordered))
    return float(ordered[place]) if place < len(ordered) else float("inf")


def answers_of(
    table: Table, cut: float, said: Said, plan: CutPlan, peaks: Peaks = ()
) -> list[tuple[float, list[float]]]:
    """Knots that give the texts below `cut` the scores that the model gives such texts in the mean.

    Raises:
        ModelSourceError: there are none.
    """
    margins = _asked_margins(table, said, plan, peaks)
    at = np.flatnonzero((margins < cut) & ~said.bad)
    if not len(at):
        raise ModelSourceError("the cascade would answer none of the texts that its cut is chosen on")
    groups = [group for group in np.array_split(at[np.argsort(margins[at])], plan.knots) if len(group)]
    found: dict[float, list[float]] = {}
    for group in groups:
        found[float(margins[group].mean())] = _mean_logits(said, group)
    return sorted(found.items())


def _mean_logits(said: Said, group: npt.NDArray[np.int64]) -> list[float]:
    scores = said.scores[group].mean(axis=0)
    accusing = said.taxonomy.accusing
    # `clean` is 1 minus the highest: the mean of the highest ones is more than the highest mean.
    scores[accusing[int(scores[accusing].argmax())]] = 1 - said.clean[group].mean()
    odds = np.clip(scores, _NEAR_ONE, 1 - _NEAR_ONE)
    wanted = np.log(odds / (1 - odds))
    labels = said.taxonomy.labels
    return [
        float(calibrated_logits(wanted[i : i + 1], [(served, raw) for raw, served in label.knots])[0])
        for i, label in enumerate(labels)
    ]


@dataclass(frozen=True)
class Tally:
    """What a cascade does to some texts.

    `lost`: not clean to the model, clean to the cascade; `moved`: mean change of the score of `clean` in those it
    answers; `far`: the share of them whose score moves by more than 0.1.
    """

    name: str
    texts: int
    answered: int
    bad: int
    lost: int
    grave: int
    grave_lost: int
    moved: float
    far: float

    @property
    def share(self) -> float:
        """The share of texts that the table answers."""
        return self.answered / self.texts

    @property
    def agreement(self) -> float:
        """The share of texts whose labels stay as the model has them."""
        return 1 - self.lost / self.texts


def tally(name: str, table: CascadeTable, said: Said) -> Tally:
    """Count what `table` does to these texts, exactly as a worker does."""
    margins = [table.certain(row) if count == 1 else None for row, count in zip(said.ids, said.windows, strict=True)]
    answered = np.array([margin is not None for margin in margins])
    own = np.array([table.logits_at(margin) for margin in margins if margin is not None])
    moved = np.zeros(0)
    if len(own):
        scores = scores_of(own.astype(np.float32), said.taxonomy)
        moved = np.abs(1 - scores[:, said.taxonomy.accusing].max(axis=1) - said.clean[answered])
    return Tally(
        name=name,
        texts=len(said.texts),
        answered=int(answered.sum()),
        bad=int(said.bad.sum()),
        lost=int((answered & said.bad).sum()),
        grave=int(said.grave.sum()),
        grave_lost=int((answered & said.grave).sum()),
        moved=float(moved.mean()) if len(moved) else 0.0,
        far=float((moved > 0.1).mean()) if len(moved) else 0.0,
    )


@dataclass(frozen=True)
class Evidence:
    """Texts of one part: as they are, and those that are not clean between clean sentences."""

    plain: Said
    padded: Said


def certified(bundle: Bundle, table: Table, tune: Evidence, held: Evidence, plan: CutPlan) -> CascadeTable:
    """The cascade of `bundle`: cuts and answers chosen on `tune`, its certificate measured on `held`."""
    said = tune.plain
    peaks = choose_peaks(table, tune.padded, plan)
    cut = choose_cut(table, said, plan, peaks)
    hashes = hashes_of(bundle)
    made = CascadeTable(
        files={name: hashes[name] for name in CERTIFIED_FILES},
        pieces=table.pieces,
        weights=table.weights,
        step=table.step,
        bias=table.bias,
        cut=cut,
        peaks=peaks,
        most_tokens=plan.most_tokens,
        knots=answers_of(table, cut, said, plan, peaks),
        certificate=Certificate(texts=0, share=0.0, agreement=0.0, padded=0, padded_lost=0),
    )
    found, padded = tally("all", made, held.plain), tally("padded", made, held.padded)
    certificate = Certificate(
        texts=found.texts,
        share=round(found.share, 4),
        agreement=round(found.agreement, 5),
        padded=padded.bad,
        padded_lost=padded.lost,
    )
    return msgspec.structs.replace(made, certificate=certificate)


def put_into(bundle: Bundle, table: CascadeTable) -> Bundle:
    """Write the cascade into the bundle's folder and its manifest; returns the bundle under its new revision."""
    (bundle.path / CASCADE_FILE).write_bytes(msgspec.msgpack.encode(table))
    write_manifest(bundle.path)
    return load_bundle(bundle.path)
