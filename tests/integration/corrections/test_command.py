"""`kobert corrections` against a real service, and what training fetches of it."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from cli.client import ServiceClient
from cli.commands import kobert as command
from cli.train import _corrections
from tests.support.corrections import correct
from tests.support.stack import Stack
from training.corrections import CorrectedText

pytestmark = pytest.mark.integration
Kobert = Callable[..., Result]


@pytest.fixture
def kobert(stack: Stack) -> Kobert:
    """Run `kobert corrections …` against the stack."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(command, ["corrections", "--url", stack.url, *words])

    return run


def test_the_command_adds_lists_exports_and_withdraws(client: httpx.Client, kobert: Kobert, tmp_path: Path) -> None:
    added = kobert("add", "뿡뿡이", "--as", "insult", "--note", "우리 판의 욕")
    assert added.exit_code == 0, added.stderr
    made = added.stdout.split()[0]
    listed = kobert("list").stdout.splitlines()
    assert listed[0].split() == ["ID", "CLASSIFICATION", "POLICY", "CREATED", "TEXT", "NOTE"]
    assert listed[1].startswith(made)
    assert listed[1].endswith("뿡뿡이  우리 판의 욕")

    exported = tmp_path / "mine.csv"
    assert kobert("export", "-o", str(exported)).exit_code == 0
    assert exported.read_bytes().startswith(b"\xef\xbb\xbftext,classification,")
    assert kobert("delete", made).stdout == f"{made} withdrawn\n"
    assert client.get("/corrections").json()["data"] == []
    assert "there is no correction" in kobert("delete", made).stderr

    again = kobert("import", str(exported), "--column", "classification", "--note-column", "note")
    assert again.stdout == "1 corrections taken, 0 rows left as they are\n"
    (one,) = client.get("/corrections").json()["data"]
    assert (one["text"], one["classification"], one["note"]) == ("뿡뿡이", "insult", "우리 판의 욕")


def test_a_file_of_verdicts_that_was_sent_back_is_taken(client: httpx.Client, kobert: Kobert, tmp_path: Path) -> None:
    file = tmp_path / "verdicts.csv"
    file.write_text(
        "id,댓글,classification,confidence,labels,error,should_be\n"
        "1,뿡뿡이 같은,clean,0.9,clean,,insult\n"
        "2,좋은 글,clean,0.9,clean,,\n"
        "3,그대로인 글,hate,0.9,hate,,hate\n"
        '4,"두 줄\n글",hate,0.9,hate,,clean\n'
        "5,틀린 라벨,hate,0.9,hate,,욕설\n"
        "6,,,,,empty_text: text is empty,hate\n",
        encoding="cp949",
    )
    done = kobert("import", str(file), "--note", "7월 검수")
    assert done.exit_code == 3
    assert done.stdout == "2 corrections taken, 2 refused, 2 rows left as they are\n"
    refused = done.stderr.splitlines()
    assert refused[0].startswith("line 8: ")
    assert refused[1] == "line 7: classification must be one of clean, curse, insult, hate; not '욕설'"
    found = client.get("/corrections").json()["data"]
    assert {(one["text"], one["classification"], one["note"]) for one in found} == {
        ("뿡뿡이 같은", "insult", "7월 검수"),
        ("두 줄\n글", "clean", "7월 검수"),
    }


def test_a_file_without_the_column_is_refused_with_those_that_it_has(kobert: Kobert, tmp_path: Path) -> None:
    file = tmp_path / "verdicts.csv"
    file.write_text("text,classification\n가,clean\n")
    done = kobert("import", str(file))
    assert done.exit_code == 1
    assert "--column should_be: there is no such column; there are 1 'text', 2 'classification'" in done.stderr


def test_training_fetches_the_corrections_that_hold_everywhere(stack: Stack, client: httpx.Client) -> None:
    correct(client, "뿡뿡이", "insult")
    correct(client, "게이머들", "clean")
    assert _corrections(ServiceClient(stack.url, None), None) == [
        CorrectedText("뿡뿡이", "insult"),
        CorrectedText("게이머들", "clean"),
    ]
