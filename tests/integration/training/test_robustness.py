"""The shipped bundle on disguised curses and on innocent look-alikes: `tests/data/`."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.format import load_bundle
from training.score.robustness import INNOCENT, OBFUSCATED, Robustness, measure_robustness, read_table
from training.ship.bundle import GraphRunner
from training.ship.serving import taxonomy_of

EMBEDDED = Path(__file__).resolve().parents[3] / "models" / "default"
FEWEST = 300

pytestmark = pytest.mark.integration


def test_each_set_has_three_hundred_different_lines() -> None:
    assert len({row["obfuscated"] for row in read_table(OBFUSCATED)}) >= FEWEST
    assert len({row["text"] for row in read_table(INNOCENT)}) >= FEWEST


@pytest.fixture(scope="module")
def found() -> Robustness:
    bundle = load_bundle(EMBEDDED)
    return measure_robustness(GraphRunner.of_bundle(bundle), taxonomy_of(bundle.config))


def test_disguise_costs_at_most_five_points_of_recall(found: Robustness) -> None:
    assert found.plain_recall >= 0.9
    assert found.recall_drop <= 5.0, found.missed


def test_at_most_two_per_cent_of_the_innocent_are_flagged(found: Robustness) -> None:
    assert found.false_positive_rate <= 0.02, found.wrongly_flagged
