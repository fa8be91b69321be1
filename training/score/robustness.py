"""How a bundle does on text as it really comes: disguised curses beside their plain forms, and innocent look-alikes."""

import csv
from dataclasses import dataclass
from pathlib import Path

from training.learn.metrics import Flags
from training.score.evaluate import any_flag
from training.ship.bundle import GraphRunner
from training.ship.serving import Taxonomy

ROOT = Path(__file__).resolve().parents[2]
OBFUSCATED = ROOT / "tests" / "data" / "obfuscated.tsv"
INNOCENT = ROOT / "tests" / "data" / "innocent.tsv"


@dataclass(frozen=True)
class Robustness:
    """Recall on plain and on disguised lines, and the innocent lines that were flagged."""

    plain_recall: float
    disguised_recall: float
    pairs: int
    missed: list[str]
    innocent: int
    wrongly_flagged: list[str]

    @property
    def recall_drop(self) -> float:
        """Recall lost to disguise, in points."""
        return 100 * (self.plain_recall - self.disguised_recall)

    @property
    def false_positive_rate(self) -> float:
        """Share of the innocent lines that were flagged."""
        return len(self.wrongly_flagged) / self.innocent


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated file with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def measure_robustness(runner: GraphRunner, taxonomy: Taxonomy) -> Robustness:
    """Judge both sets; a line is flagged when it is anything but clean."""
    pairs, innocent = read_table(OBFUSCATED), [row["text"] for row in read_table(INNOCENT)]
    plain = _flagged(runner, taxonomy, [row["plain"] for row in pairs])
    disguised = _flagged(runner, taxonomy, [row["obfuscated"] for row in pairs])
    wrong = _flagged(runner, taxonomy, innocent)
    return Robustness(
        plain_recall=float(plain.mean()),
        disguised_recall=float(disguised.mean()),
        pairs=len(pairs),
        missed=[row["obfuscated"] for row, seen in zip(pairs, disguised, strict=True) if not seen],
        innocent=len(innocent),
        wrongly_flagged=[text for text, flagged in zip(innocent, wrong, strict=True) if flagged],
    )


def _flagged(runner: GraphRunner, taxonomy: Taxonomy, texts: list[str]) -> Flags:
    return any_flag(taxonomy, runner.logits(texts))
