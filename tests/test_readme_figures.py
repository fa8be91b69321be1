"""The accuracy that the READMEs promise is what the cards of the shipped models say."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
QUESTIONS = {
    "default": ("BEEP, offensive or hate", "Curse-detection, curse", "K-MHaS, any hate", "K-MHaS, curse"),
    "sentiment": ("NSMC, positive",),
}


def card_rows(name: str) -> dict[str, list[str]]:
    """Cells of the card's score table by question: metric, goal, ours, float32, teacher, then the filters."""
    rows = {}
    for line in (ROOT / "models" / name / "README.md").read_text(encoding="utf-8").splitlines():
        question, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows[question.split(" (`")[0]] = cells
    return rows


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_the_readmes_figures_are_the_cards(readme: str) -> None:
    lines = (ROOT / readme).read_text(encoding="utf-8").splitlines()
    for name, questions in QUESTIONS.items():
        cards = card_rows(name)
        for question in questions:
            _, _, ours, _, _, *filters = cards[question]
            row = f"| {' | '.join([ours, *filters])} |" if filters else f"| {ours} | | |"
            assert sum(line.endswith(row) for line in lines) == 1, f"{readme}: {question} is {row} in the card"
