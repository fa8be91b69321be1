"""The headline tables of the READMEs are what the card of the shipped model and the report on other servers say."""

import json
import re
from pathlib import Path

import pytest

from bench.peers import headline as beside
from training.readme_table import CARD, END, LANGUAGES, START, Language, headline

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.readme)
def test_the_readmes_table_is_the_cards(language: Language) -> None:
    readme = (ROOT / language.readme).read_text(encoding="utf-8")
    assert readme.count(START) == readme.count(END) == 1

    shown = readme.partition(START)[2].partition(END)[0].strip()

    assert shown == headline(CARD.read_text(encoding="utf-8"), language), "run python -m training.readme_table --write"


def test_both_readmes_show_the_same_figures() -> None:
    tables = [
        (ROOT / language.readme).read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
        for language in LANGUAGES
    ]
    english, korean = (re.findall(r"\d+(?:\.\d+)?(?: %)?(?= \|)", table) for table in tables)
    assert english == korean
    assert english


@pytest.mark.parametrize("language", beside.LANGUAGES, ids=lambda language: language.readme)
def test_the_readmes_table_beside_other_servers_is_the_reports(language: beside.Language) -> None:
    readme = (ROOT / language.readme).read_text(encoding="utf-8")
    assert readme.count(beside.START) == readme.count(beside.END) == 1

    shown = readme.partition(beside.START)[2].partition(beside.END)[0].strip()

    points = json.loads(beside.POINTS.read_text(encoding="utf-8"))["points"]
    assert shown == beside.table(points, language), "run python -m bench.peers.headline --write"
