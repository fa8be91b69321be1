"""What decides a cascade: the texts that it is fitted on, how, and what it may lose."""

from dataclasses import dataclass, field

from training.data.parts import HELD_TEXTS
from training.learn.cascade import TablePlan


@dataclass(frozen=True)
class CutPlan:
    """Where a table may answer: below the margin at which it loses these shares of the texts that are not clean.

    `peaks`: lengths of the stretches, 0 for any, whose cuts alone may hide `most_hidden` of the texts that are not
    clean, and `most_grave_hidden` of the grave ones: what is left when clean words outweigh all else.
    """

    most_lost: float = 0.003
    most_grave_lost: float = 0.001
    peaks: tuple[int, ...] = (0,)
    most_hidden: float = 0.0
    most_grave_hidden: float = 0.0
    # Logits that the cut of stretches stays below the lowest that this allows: what is seldom is in few of the texts.
    peak_slack: float = 0.8
    slack: float = 0.0  # logits that the cut stays below the lowest margin that this allows
    most_tokens: int = 48
    knots: int = 12


@dataclass(frozen=True)
class CascadePlan:
    """Everything that decides a cascade.

    `most_fit`, `most_tune`, `most_held`: texts that it is fitted on, that its cut is chosen on, and that certify it;
    `disguised`: bad texts of the first that are read disguised as well; `suspicious`: the highest score from which a
    text is fitted as not clean, lower than any threshold so that what is nearly not clean is not certain either;
    `most_padded`: texts of a part that are read between clean sentences, too.
    """

    table: TablePlan = field(default_factory=TablePlan)
    cut: CutPlan = field(default_factory=CutPlan)
    most_fit: int = 90_000
    most_tune: int = 16_000
    most_held: int = HELD_TEXTS
    disguised: int = 8_000
    suspicious: float = 0.3
    most_padded: int = 1_500
    seed: int = 17
