"""What a round of training is taught: the labels, and what the rounds before it say of every text of a pool."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.data.batches import Floats
from training.data.prepare import MADE_UP, EpochMaker, Mixture, choose, pleasant_sentences, targets_of
from training.data.signals import ANY, TARGET_INDEX, TARGETS
from training.data.sources import EVERYDAY, Row, check_no_dev_text
from training.learn.distil import blended, soft_targets, with_any
from training.learn.network import CommentNetwork
from training.learn.ngrams import Asked, source_opinions
from training.learn.predict import signal_logits
from training.panel import PanelWord
from training.workspace import Workspace, load_or_compute

log = logging.getLogger(__name__)

_CERTAIN_SOURCES = (EVERYDAY, *MADE_UP)
"""Their labels hold by the way they were made; no network knows better."""
HARD = "clean/hard"
"""The source under which hard harmless rows are drawn once more."""
_NGRAMS_BESIDE_PANEL = 0.3
"""Share of the n-grams beside a panel, which speaks without having seen a row's label, as they do."""
_HARMLESS_SOURCES = (EVERYDAY, "kda", "kosbi", "headlines", "square_questions", "innocent", "innocent_sentences")
_HARD_LOGIT = -3.0  # of any label: a bad text in twenty
_SECOND_OPINIONS = (
    Asked("curse_detection", (ANY,)),
    Asked("hatescore", (ANY, "hate")),
    Asked("malicious_comments", (ANY,)),
    Asked("kda", (ANY,)),
    Asked("kmhas", (ANY, "curse", "hate"), others=("unlabelled_comments", "beep")),
)


@dataclass(frozen=True)
class Lessons:
    """Rows with targets `[rows, TARGETS]`."""

    rows: list[Row]
    targets: Floats

    def epochs(self, space: Workspace, mixture: Mixture) -> EpochMaker:
        """Epochs of these rows."""
        return EpochMaker(self.rows, self.targets, space.tokenizer, mixture, pleasant_sentences(self.rows))


def prepare_lessons(
    space: Workspace, mixture: Mixture, teachers: Sequence[CommentNetwork] = (), *, ngrams: bool = False
) -> Lessons:
    """The rows that the mixture draws from; the teachers' mean word is half of each target that is not certain.

    With `ngrams`, linear models of the sources' own n-grams have as much say as the teachers, where they have one.
    """
    rows = _pool(space, mixture)
    check_no_dev_text((row.text for row in rows), space.rows)
    labels = targets_of(rows)
    if not teachers:
        return Lessons(rows, labels)
    log.info("labelling %d texts with %d networks", len(rows), len(teachers))
    texts, limits = [row.text for row in rows], {"max_length": space.plan.max_length, "pad_id": space.pad_id}
    said = [signal_logits(teacher, space.tokenizer, texts, **limits) for teacher in teachers]
    certain = [row.source in _CERTAIN_SOURCES or "/" in row.source for row in rows]
    taught = with_any(np.mean(said, axis=0))
    if ngrams:
        by_heart = ~np.isnan(labels[:, TARGET_INDEX[ANY]])
        taught = blended(taught, _opinions(space, rows), [row.source for row in rows], by_heart)
    targets = soft_targets(labels, taught, np.array(certain, dtype=np.float32))
    hard = _hard(rows, taught)
    log.info("%d harmless texts count as hard", len(hard))
    return Lessons([*rows, *(replace(rows[i], source=HARD) for i in hard)], np.concatenate([targets, targets[hard]]))


def lessons_of_panel(space: Workspace, mixture: Mixture, word: PanelWord) -> Lessons:
    """The mixture's rows and the texts written anew; targets as in `prepare_lessons`, with a panel for a teacher."""
    pool = _pool(space, mixture)
    rows = [*pool, *word.written]
    check_no_dev_text((row.text for row in rows), space.rows)
    place = {row.text: index for index, row in enumerate(space.train)}
    logits = np.concatenate([word.of_rows[[place[row.text] for row in pool]], word.of_written])
    opinions = np.full((len(rows), len(TARGETS)), np.nan, dtype=np.float32)
    opinions[: len(pool)] = _opinions(space, pool)
    taught = blended(with_any(logits), opinions, [row.source for row in rows], share=_NGRAMS_BESIDE_PANEL)
    certain = np.array([row.source in _CERTAIN_SOURCES or "/" in row.source for row in rows], dtype=np.float32)
    targets = soft_targets(targets_of(rows), taught, certain)
    hard = _hard(rows, taught)
    return Lessons([*rows, *(replace(rows[i], source=HARD) for i in hard)], np.concatenate([targets, targets[hard]]))


def _hard(rows: Sequence[Row], taught: Floats) -> list[int]:
    """The harmless texts of sources that are never anything else, of which the teachers are the least sure."""
    any_label = taught[:, TARGET_INDEX[ANY]]
    return [
        index
        for index, row in enumerate(rows)
        if row.source in _HARMLESS_SOURCES and row.targets.get(ANY) == 0 and any_label[index] > _HARD_LOGIT
    ]


def _opinions(space: Workspace, rows: Sequence[Row]) -> Floats:
    """What the n-grams say of these rows. They are fitted on all training rows, whatever the mixture takes."""
    path = space.work / "opinions-sources.npz"
    found = load_or_compute(path, lambda: source_opinions(space.train, _SECOND_OPINIONS, space.tokenizer))
    place = {row.text: index for index, row in enumerate(space.train)}
    return found[[place[row.text] for row in rows]]


def _pool(space: Workspace, mixture: Mixture) -> list[Row]:
    """One draw of the mixture, every row once: what is labelled, and drawn from again each epoch."""
    generator = np.random.default_rng([space.plan.seed, 1])
    return [space.train[index] for index in sorted(set(choose(space.train, mixture, generator)))]
