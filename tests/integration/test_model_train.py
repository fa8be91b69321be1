"""`kobert model train`: from a user's own table to a bundle that a worker serves."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.format import load_bundle
from tests.support.hub_command import Kobert
from tests.support.hub_server import HubServer, running_hub
from tests.support.sources import write_transformers_folder
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer

pytestmark = [pytest.mark.integration, pytest.mark.training]

POSITIVE = ("배송이 빠르고 좋습니다", "정말 재미있게 봤습니다", "포장도 꼼꼼해서 마음에 듭니다")
NEGATIVE = ("길이 많이 막히네요", "결말이 너무 허무해서 별로", "댓글 다는 사람들 반성하세요")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with running_hub() as server:
        yield server


@pytest.fixture
def kobert(tmp_path: Path, hub: HubServer) -> Kobert:
    return Kobert(tmp_path, hub)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """As Korean Excel saves it."""
    path = tmp_path / "mine.csv"
    with path.open("w", newline="", encoding="cp949") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for index in range(30):
            writer.writerow([f"{POSITIVE[index % 3]} {index}", "긍정"])
            writer.writerow([f"{NEGATIVE[index % 3]} {index}", "부정"])
    return path


def test_a_table_becomes_a_bundle_on_a_base_from_the_hub(
    kobert: Kobert, hub: HubServer, table: Path, tmp_path: Path
) -> None:
    base = write_transformers_folder(tmp_path / "base", architectures=["BertModel"])
    hub.add("skt/kobert-base-v1", {path.name: path.read_bytes() for path in base.iterdir()})
    output = tmp_path / "mine"

    ended = kobert(
        *("train", str(table), "--output", str(output), "--base", "kobert", "--epochs", "2", "--max-length", "32"),
        *("--clean-label", "긍정"),
    )

    assert ended.returncode == 0, ended.stderr
    assert "epoch 1/2" in ended.stderr
    assert "6 texts were kept apart to score it" in ended.stdout
    assert "accuracy" in ended.stdout
    bundle = load_bundle(output)
    assert bundle.config.labels == ["긍정", "부정"]
    assert bundle.config.clean_label == "긍정"
    card = (output / "README.md").read_text()
    shown = re.search(r"accuracy (\S+), macro F1 (\S+)", ended.stdout)
    assert shown is not None
    assert f"Accuracy {shown[1]}, macro F1 {shown[2]}." in card
    assert re.findall(r"^\| (긍정|부정) \| \d\.\d{3} \|", card, re.MULTILINE) == ["긍정", "부정"]
    assert "On 6 texts that were kept apart" in card
    windows = BundleTokenizer(bundle, 8).encode(["정말 좋습니다"])[0]
    assert OnnxEngine(bundle, 1).run(windows).shape == (1, 2)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("columns", [False, True])
def test_a_table_with_several_labels_a_text_becomes_a_multi_label_bundle(
    kobert: Kobert, hub: HubServer, table: Path, tmp_path: Path, columns: bool
) -> None:
    base = write_transformers_folder(tmp_path / "base", architectures=["BertModel"])
    cells = ("1,1", "1,0", "0,0", "") if columns else ("욕설;모욕", "욕설", "정상", "")
    header = "text,욕설,모욕" if columns else "text,label"
    texts = [f"{(*POSITIVE, *NEGATIVE)[index % 6]} {index}" for index in range(60)]
    table.write_text(f"{header}\n" + "".join(f"{text},{cells[at % 4] or ','}\n" for at, text in enumerate(texts)))
    output = tmp_path / "mine"

    ended = kobert(
        *("train", str(table), "--output", str(output), "--base", str(base), "--epochs", "1", "--max-length", "32"),
        *(("--label-columns", "욕설,모욕", "--clean-label", "정상") if columns else ("--multi-label", "--balanced")),
    )

    assert ended.returncode == 0, ended.stderr
    config = load_bundle(output).config
    assert (config.problem_type, config.clean_label) == ("multi_label_classification", "정상")
    assert config.labels == ["모욕", "욕설"]
    assert set(config.thresholds) == {"모욕", "욕설"}
    assert "any number of labels" in (output / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--text-column", "comment"], "--text-column comment: there is no such column; there are 1 'text', 2 'label'"),
        (["--label-column", "kind"], "--label-column kind: there is no such column"),
        (["--label-columns", "label,kind"], "--label-columns kind: there is no such column"),
        (["--label-columns", "label"], "--label-columns needs several names"),
        (
            ["--label-columns", "a,b", "--label-column", "a"],
            "with --label-column or with --label-columns, not with both",
        ),
        (["--clean-label", "정상"], "no label is called '정상'; the table has 긍정, 부정"),
        (["--corrections-file", __file__], "line 1 is not JSON"),
        (["--corrections", "--url", "http://127.0.0.1:1"], "does not answer"),
        (["--base", "me/nothing"], "me/nothing is not on the Hub, or it is private"),
        (["--base", "./nowhere/at/all"], "--base ./nowhere/at/all: there is no such folder"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(
    kobert: Kobert, table: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    assert sentence in kobert.refusal("train", str(table), "--output", str(tmp_path / "mine"), *arguments)


def test_a_folder_with_something_in_it_is_not_written_over(kobert: Kobert, table: Path, tmp_path: Path) -> None:
    assert "is not empty" in kobert.refusal("train", str(table), "--output", str(tmp_path))


@pytest.mark.parametrize("output", ["a-file", "a-file/below"])
def test_an_output_that_cannot_be_written_is_found_before_the_table_is_read(
    kobert: Kobert, tmp_path: Path, output: str
) -> None:
    (tmp_path / "a-file").touch()
    (tmp_path / "broken.csv").write_text("nothing of use\n")
    refused = kobert.refusal("train", str(tmp_path / "broken.csv"), "--output", str(tmp_path / output))
    assert refused.startswith(f"--output {tmp_path / output}")
