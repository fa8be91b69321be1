"""What decides a cascade: the texts that it is fitted on, how, and what it may lose."""

from dataclasses import dataclass, field

from training.data.parts import HELD_TEXTS
from training.learn.cascade import TablePlan


@dataclass(frozen=True)
class CutPlan:
    """Where a table may answer: below the margin at which it loses these shares of the texts that are not clean."""

    most_lost: float = 0.003
    most_grave_lost: float = 0.001
    slack: float = 0.0  # logits that the cut stays below the lowest margin that this allows
    most_tokens: int = 48
    knots: int = 12


@dataclass(frozen=True)
class CascadePlan:
    """Everything that decides a cascade.

    `most_fit`, `most_tune`, `most_held`: texts that it is fitted on, that its cut is chosen on, and that certify it;
    `disguised`: bad texts of the first that are read disguised as well.
    """

    table: TablePlan = field(default_factory=TablePlan)
    cut: CutPlan = field(default_factory=CutPlan)
    most_fit: int = 90_000
    most_tune: int = 16_000
    most_held: int = HELD_TEXTS
    disguised: int = 8_000
    seed: int = 17
