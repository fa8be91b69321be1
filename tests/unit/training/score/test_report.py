"""The report, the cards and the READMEs' table, written from made-up findings."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import msgspec
from tokenizers import Tokenizer

from bundles.format import CARD_FILE, load_bundle
from bundles.windows import Windows
from shared.errors import ModelSourceError
from tests.support.findings import made_up_findings
from training.data.sets import dev_sets, unseen_sets
from training.data.signals import READERS
from training.data.sources import Row
from training.readme_table import END, ENGLISH, KOREAN, START, headline, put_between_markers, write
from training.score.card import LICENCES, write_card
from training.score.findings import load_findings, save_findings
from training.score.report import write_report
from training.ship.bundle import config_of, write_bundle
from training.ship.serving import TAXONOMIES

TOKENIZER = Path(__file__).resolve().parents[4] / "models" / "default" / "tokenizer.json"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(made_up_findings(), tmp_path_factory.mktemp("docs")).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    assert text.count(f"### {title}\n") == 1, title
    return text.partition(f"### {title}\n")[2].partition("\n#")[0]


def test_findings_come_back_as_they_were_written(tmp_path: Path) -> None:
    findings = made_up_findings()
    save_findings(findings, tmp_path)
    assert msgspec.to_builtins(load_findings(tmp_path)) == msgspec.to_builtins(findings)


def test_the_report_has_a_row_for_each_set_with_each_strictness_and_each_filter(report: str) -> None:
    harmless, bad = section(report, "Harmless text that is flagged"), section(report, "Bad text that is found")
    head = "texts | goal at `standard` | lenient | standard | strict | korcen | nerv-filter |"

    assert f"| harmless | {head}" in harmless
    assert f"| bad | {head}" in bad
    assert "| K/DA neutral | 1,234 | <= 2.5 % | 1.1 % | 2.1 % | 4.2 % | 11.1 % | 22.2 % |" in harmless
    assert "| BEEP none | 1,234 |  | 2.1 % | 4.3 % | 8.6 % | 11.1 % | 22.2 % |" in harmless
    assert "| threats (not tuned) | 1,234 | >= 80.0 % | 41.7 % | 83.4 % | 100.0 % | 11.1 % | 22.2 % |" in bad
    assert "threats" not in harmless
    assert "K/DA neutral" not in bad


@pytest.mark.parametrize(
    ("title", "parts"),
    [
        ("A curse among pleasant sentences", ["| 2 | 99.1 % |", "| 4 | 97.2 % |", "| 8 | 95.3 % |"]),
        ("Ordinary news comments", ["`lenient` 5.1 %, `standard` 15.2 %, `strict` 35.3 %"]),
        ("By the one word", ["| K-MHaS, any label | `standard` | 0.87 | 0.850 | 0.596 | 0.596 |", "80 found"]),
        ("Labels", ["| `curse` | 0.889 | 0.800 | 0.842 | 0.017 | 0.50 / 0.50 / 0.50 |"]),
        ("Calibration", ["0.023", "| K/DA neutral | 0.045 |"]),
        ("Int8", ["threats, -3.4 points"]),
        ("Wrong on the test sets", ["- 놓친 나쁜 글", "- 억울한 글"]),
    ],
)
def test_the_report_has_its_figures(report: str, title: str, parts: list[str]) -> None:
    found = section(report, title)
    assert [part for part in parts if part not in found] == []


def test_the_report_has_the_plots_the_sentiment_and_the_rows(tmp_path: Path) -> None:
    report = write_report(made_up_findings(), tmp_path).read_text(encoding="utf-8")

    assert "![found against flagged](model-default-curves.svg)" in report
    assert (tmp_path / "model-default-curves.svg").stat().st_size > 1_000
    assert "| headlines and questions, neutral | 0.912 |" in report.partition("## `sentiment`")[2]
    assert "| kmhas | 24,600 | 2,000 |" in report
    assert "| field | 0 | 373 |" in report


def card_of(name: str, folder: Path) -> str:
    taxonomy = TAXONOMIES[name]
    (folder / "graph").write_bytes(b"a graph")
    config = config_of(taxonomy, f"kobert-{name}", Windows(64), 1)
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    bundle = write_bundle(folder / name, config, folder / "graph", tokenizer, "# not yet\n")

    write_card(bundle, taxonomy, made_up_findings())

    load_bundle(folder / name)  # the manifest knows the card
    return (folder / name / CARD_FILE).read_text(encoding="utf-8")


def test_the_card_has_labels_lines_strictness_scores_and_licences(tmp_path: Path) -> None:
    card = card_of("default", tmp_path)

    for name in ("clean", *TAXONOMIES["default"].names):
        assert f"| `{name}` | " in card.partition("## Labels")[2].partition("\n## ")[0], name
    lines = card.partition("## Where the lines are")[2].partition("\n## ")[0]
    assert all(f"| `{label}` |" in lines for label in ("curse", "insult", "hate", "threat"))
    assert "| label | `lenient` | `standard` | `strict` |" in card
    assert "| `threat` | 0.50 | 0.50 | 0.50 |" in card
    scores = card.partition("## Scores")[2].partition("\n## ")[0]
    assert "| K/DA neutral | 1,234 | <= 2.5 % |" in scores
    assert "| threats (not tuned) | 1,234 | >= 80.0 % |" in scores
    assert f"| `kda.jsonl` | minkyeongjeon/kda | Apache-2.0 | 6,245 | `{'bb' * 32}` |" in card
    assert "CC BY-SA 4.0" in card


def test_the_sentiment_card_has_its_three_labels_and_no_table_of_verdicts(tmp_path: Path) -> None:
    card = card_of("sentiment", tmp_path)
    assert all(f"| `{name}` | " in card for name in ("positive", "neutral", "negative"))
    assert "## Scores" not in card
    assert "strictness" not in card.lower()


def test_every_source_has_a_licence() -> None:
    assert set(LICENCES) == set(READERS)


TABLE = """
| | goal | ours | korcen | nerv-filter |
|---|---|---|---|---|
| **harmless text: share flagged** | | | | |
| K/DA, neutral chat | ≤ 2.5 % | 2.1 % | 11.1 % | 22.2 % |
| innocent look-alikes | ≤ 1.5 % | 1.2 % | 11.1 % | 22.2 % |
| **bad text: share found** | | | | |
| K/DA, insults without swear words | ≥ 75.0 % | 76.3 % | 11.1 % | 22.2 % |
| HateScore, malicious comments | ≥ 70.0 % | 71.2 % | 11.1 % | 22.2 % |
| threats | ≥ 80.0 % | 83.4 % | 11.1 % | 22.2 % |
""".strip()


def test_the_readmes_table_has_the_cards_sets_with_a_goal(tmp_path: Path) -> None:
    card = card_of("default", tmp_path)
    english, korean = headline(card, ENGLISH), headline(card, KOREAN)

    assert english == TABLE
    assert len(korean.splitlines()) == len(english.splitlines())
    assert "| 협박 | ≥ 80.0 % | 83.4 % | 11.1 % | 22.2 % |" in korean
    assert "| **문제없는 글: 걸린 비율** | | | | |" in korean


def test_the_table_is_put_between_the_markers_and_nothing_else_changes(tmp_path: Path) -> None:
    card = card_of("default", tmp_path)
    for language in (ENGLISH, KOREAN):
        (tmp_path / language.readme).write_text(f"before\n\n{START}\nold\n{END}\n\nafter\n", encoding="utf-8")

    write(tmp_path, card)
    once = (tmp_path / "README.md").read_text(encoding="utf-8")
    write(tmp_path, card)

    assert once == f"before\n\n{START}\n{TABLE}\n{END}\n\nafter\n"
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == once
    assert headline(card, KOREAN) in (tmp_path / "README.ko.md").read_text(encoding="utf-8")


def test_a_card_without_tables_and_a_readme_without_markers_are_named() -> None:
    with pytest.raises(ModelSourceError, match="no table of harmless sets: write it with `make model`"):
        headline("# kobert-default\n", ENGLISH)
    with pytest.raises(ModelSourceError, match=r"README\.md lacks the markers"):
        put_between_markers(f"text {START}", "table", "README.md")


def test_every_set_with_a_goal_has_a_korean_name() -> None:
    sources = {
        "nsmc": ["positive", "negative"],
        "kmhas": ["not_hate", "age"],
        "curse_detection": ["clean", "curse"],
        "kosbi": ["safe"],
        "everyday_sentences": ["clean"],
        "headlines": ["headline"],
        "square_questions": ["question"],
        "field": ["clean", "bad"],
        "kda": ["neutral", "implicit"],
        "hatescore": ["Clean", "혐오발언", "단순 악플"],
    }
    rows = [
        Row("글", source, "dev", READERS[source]({"text": "글", "labels": [label]}))
        for source, labels in sources.items()
        for label in labels
    ]
    with_a_goal = {found.name for found in [*dev_sets(rows), *unseen_sets()] if found.limit is not None}
    assert with_a_goal == set(KOREAN.sets)
