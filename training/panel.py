"""A panel of teachers, each of which has not seen a part of the labelled rows: what they say of every text.

A network knows the rows that it was taught by heart, and says of them only what it was told. So each row hears those
teachers that never met it (cross-fitting), and the rest, texts without labels and new ones, hear the mean of all.
"""

import copy
import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bundles.text.normalise import normalise
from training.data.batches import Floats, encode
from training.data.prepare import EpochMaker, pleasant_sentences, targets_of
from training.data.signals import SIGNALS
from training.data.sources import Row, squashed
from training.learn.fit import Fit
from training.learn.network import CommentNetwork, set_dropout
from training.learn.objective import verdict_loss
from training.learn.predict import logits_of_ids
from training.learn.reading import Reader, read_on, written_anew
from training.plan import PanelPlan
from training.workspace import Workspace, load_or_compute

log = logging.getLogger(__name__)

WRITTEN = "written"
"""The source of texts that the panel's reader wrote anew; no label is known of them."""
_COMMENT_SOURCES = ("beep", "curse_detection", "hatescore", "kda", "kmhas", "malicious_comments", "unlabelled_comments")
_DRAW = 3


@dataclass(frozen=True)
class PanelWord:
    """Texts written anew, and what the panel says of the training rows and of them: logits `[texts, SIGNALS]`."""

    written: list[Row]
    of_rows: Floats
    of_written: Floats


def panel_word(space: Workspace, plan: PanelPlan) -> PanelWord:
    """Teach the panel, where it has not spoken yet, and give its word."""
    panel = _Panel(space, plan)
    panel.folder.mkdir(parents=True, exist_ok=True)
    written = panel.written()
    said = load_or_compute(panel.folder / "logits.npz", lambda: panel.said([*panel.ids, *panel.encoded(written)]))
    return PanelWord(written, said[: len(space.train)], said[len(space.train) :])


@dataclass(frozen=True)
class _Panel:
    space: Workspace
    plan: PanelPlan

    @property
    def folder(self) -> Path:
        return self.space.work / "panel"

    @cached_property
    def ids(self) -> list[list[int]]:
        return self.encoded(self.space.train)

    def encoded(self, rows: Sequence[Row]) -> list[list[int]]:
        return encode(self.space.tokenizer, [normalise(row.text) for row in rows], self.space.plan.max_length)

    @cached_property
    def reader(self) -> Reader:
        """Made when it is first needed: never, where all is said already."""
        base, pad_id = self.space.encoder(), self.space.pad_id
        return read_on(base, self.ids, self.plan.reading, self.folder / "reading", pad_id)

    @cached_property
    def copied(self) -> npt.NDArray[np.int64]:
        """The training row of each text that is written anew."""
        copies = [self.plan.copies if row.source in _COMMENT_SOURCES else 0 for row in self.space.train]
        return np.repeat(np.arange(len(copies)), copies)

    def written(self) -> list[Row]:
        """Texts like the comments among the training rows, kept in a file."""
        path = self.folder / "written.txt"
        if not path.is_file():
            generator = np.random.default_rng([self.space.plan.seed, _DRAW])
            anew = written_anew(self.reader, [self.ids[i] for i in self.copied], self.space.pad_id, generator)
            lines = (" ".join(text.split()) for text in self.space.tokenizer.decode_batch(anew))
            path.write_text("\n".join(lines), encoding="utf-8")
        return [Row(text, WRITTEN, "train") for text in path.read_text(encoding="utf-8").split("\n")]

    @cached_property
    def fold(self) -> npt.NDArray[np.int64]:
        """The part of each training row."""
        return np.array([zlib.crc32(squashed(row.text).encode()) % self.plan.folds for row in self.space.train])

    def hears(self, fold: int) -> npt.NDArray[np.int64]:
        """Places of the texts, rows first, that hear a teacher who was not shown this part."""
        silent = np.array([not row.targets for row in self.space.train])
        hears = (self.fold == fold) | silent
        return np.flatnonzero(np.concatenate([hears, hears[self.copied]]))

    def said(self, ids: Sequence[list[int]]) -> Floats:
        """The mean of what the teachers say whom a text hears, `[texts, SIGNALS]`."""
        total, voices = np.zeros((len(ids), len(SIGNALS)), np.float32), np.zeros((len(ids), 1), np.float32)
        for seed in range(self.plan.seeds):
            for fold in range(self.plan.folds):
                log.info("teacher %d of %d", seed * self.plan.folds + fold + 1, self.plan.seeds * self.plan.folds)
                hears = self.hears(fold)
                total[hears] += logits_of_ids(self.teacher(seed, fold), [ids[i] for i in hears], self.space.pad_id)
                voices[hears] += 1
        mean: Floats = (total / voices).astype(np.float32)
        return mean

    def teacher(self, seed: int, fold: int) -> CommentNetwork:
        """A network that was shown every labelled row but those of one part."""
        shown = [row for row, own in zip(self.space.train, self.fold, strict=True) if own != fold and row.targets]
        torch.manual_seed(self.plan.teacher.seed + seed)
        network = CommentNetwork(copy.deepcopy(self.reader.encoder), len(SIGNALS), self.space.plan.window_tokens)
        set_dropout(network, self.plan.dropout)
        fit = Fit(network, self.plan.teacher, self.folder / f"teacher-{seed}-{fold}", pad_id=self.space.pad_id)
        fit.loss = verdict_loss
        lessons = EpochMaker(
            shown, targets_of(shown), self.space.tokenizer, self.plan.mixture, pleasant_sentences(shown)
        )
        return fit.run(lessons).eval()
