"""The pipeline end to end on made-up rows, and a bundle trained on a user's own table."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np
from tokenizers import Tokenizer

from bundles.format import load_bundle
from training.learn.embedded import encoder_of_bundle
from training.learn.network import CommentNetwork
from training.pipeline import Output, run_pipeline
from training.plan import SMOKE
from training.score.findings import load_findings
from training.ship.bundle import GraphRunner
from training.user_data import UserTraining, train
from training.user_table import split_rows
from training.workspace import Workspace

EMBEDDED = Path(__file__).resolve().parents[3] / "models" / "default"

pytestmark = [pytest.mark.training, pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    space = Workspace(SMOKE, EMBEDDED, folder / "work", None)
    run_pipeline(space, Output(folder / "models", folder / "docs"))
    return folder


def test_the_pipeline_yields_bundles_that_load_and_classify(made: Path) -> None:
    for name, outputs in (("default", 9), ("sentiment", 2)):
        bundle = load_bundle(made / "models" / name)
        logits = GraphRunner.of_bundle(bundle).logits(["이 영화는 정말 좋네요", "너 병신 꺼져라", "!"])
        assert logits.shape == (3, outputs)
        assert np.isfinite(logits).all()


def test_the_pipeline_learns_the_easy_rows(made: Path) -> None:
    default, _ = load_findings(made / "work").bundles
    assert default.int8["K-MHaS, curse"].f1 > 0.8


def test_the_report_and_its_plots_are_written(made: Path) -> None:
    report = (made / "docs" / "model.md").read_text(encoding="utf-8")
    for plot in ("model-default-labels.svg", "model-default-calibration.svg", "model-sentiment-calibration.svg"):
        assert plot in report
        assert (made / "docs" / plot).stat().st_size > 1_000


def test_a_second_run_trains_nothing_again(made: Path) -> None:
    weights = made / "work" / "student" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    run_pipeline(Workspace(SMOKE, EMBEDDED, made / "work", None), Output(made / "models", made / "docs"))
    assert weights.stat().st_mtime_ns == before


def test_an_encoder_taken_out_of_a_bundle_says_what_the_bundle_says(made: Path) -> None:
    import torch  # noqa: PLC0415

    bundle = load_bundle(made / "models" / "default")
    encoder = encoder_of_bundle(bundle)
    again = CommentNetwork(encoder, 9).eval()
    tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
    ids = tokenizer.encode("그 배우는 정말 좋네요").ids

    runner = GraphRunner.of_bundle(bundle)
    with torch.no_grad():
        pooled = again.encoder(input_ids=torch.tensor([ids])).last_hidden_state.mean(1)

    assert pooled.shape == (1, SMOKE.tiny.width if SMOKE.tiny else 0)
    assert runner.logits_of_ids([ids]).shape == (1, 9)


def test_a_users_table_becomes_a_bundle_that_tells_its_labels_apart(made: Path, tmp_path: Path) -> None:
    rows = [
        row
        for number in range(60)
        for row in (
            (f"배송이 너무 늦어요 {number}", "배송"),
            (f"사이즈가 작아요 {number}", "크기"),
            (f"색이 예뻐요 {number}", "칭찬"),
        )
    ]
    steps: list[int] = []

    result = train(
        split_rows(rows, "mine.csv"),
        tmp_path / "mine",
        UserTraining(base=made / "models" / "default", epochs=30, patience=30, learning_rate=3e-3),
        lambda step, _steps, _loss: steps.append(step),
    )

    assert result.bundle.config.labels == ["배송", "칭찬", "크기"]
    assert result.accuracy > 0.9
    assert steps == sorted(steps)
    chosen = GraphRunner.of_bundle(result.bundle).logits(["배송이 너무 늦어요 다시는"]).argmax()
    assert result.bundle.config.labels[chosen] == "배송"
