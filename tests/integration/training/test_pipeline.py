"""The pipeline end to end on made-up rows, and a bundle trained on a user's own table."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
from tokenizers import Tokenizer  # noqa: E402

from bundles.format import load_bundle  # noqa: E402
from shared.options import LEVELS  # noqa: E402
from training.data.batches import pad  # noqa: E402
from training.data.signals import SERVED, SIGNALS  # noqa: E402
from training.learn.embedded import encoder_of_bundle, network_of_bundle  # noqa: E402
from training.learn.network import CommentNetwork, load_network  # noqa: E402
from training.pipeline import Output, run_pipeline  # noqa: E402
from training.plan import SMOKE  # noqa: E402
from training.readme_table import ENGLISH, headline  # noqa: E402
from training.score.findings import load_findings  # noqa: E402
from training.ship.bundle import GraphRunner  # noqa: E402
from training.ship.serving import SENTIMENT_LABELS, TOXICITY, served_network  # noqa: E402
from training.user_data import UserTraining, train  # noqa: E402
from training.user_table import split_rows  # noqa: E402
from training.workspace import Workspace  # noqa: E402
from worker.inference.verdict import Judge  # noqa: E402

EMBEDDED = Path(__file__).resolve().parents[3] / "models" / "default"

pytestmark = [pytest.mark.training, pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    space = Workspace(SMOKE, EMBEDDED, folder / "work", None)
    run_pipeline(space, Output(folder / "models", folder / "docs"))
    return folder


def test_the_pipeline_yields_bundles_that_load_and_classify(made: Path) -> None:
    for name, outputs in (("default", len(SERVED)), ("sentiment", len(SENTIMENT_LABELS))):
        bundle = load_bundle(made / "models" / name)
        logits = GraphRunner.of_bundle(bundle).logits(["이 영화는 정말 좋네요", "너 병신 꺼져라", "!"])
        assert logits.shape == (3, outputs)
        assert np.isfinite(logits).all()


def test_the_bundle_has_three_levels_and_scores_that_turn_at_one_half(made: Path) -> None:
    config = load_bundle(made / "models" / "default").config
    assert set(config.strictness) == set(LEVELS)
    assert config.strictness["standard"] == config.thresholds == dict.fromkeys(SERVED, 0.5)
    assert set(config.calibration) == set(SERVED)
    texts = ["이 영화는 정말 좋네요", "너 병신 꺼져라", "그 병신 그만해라 3"]
    logits = GraphRunner.of_bundle(load_bundle(made / "models" / "default")).logits(texts)
    judge = Judge(config, {})
    for row in logits:
        verdict = judge.judge([row])
        assert next(iter(verdict.scores)) == verdict.classification
        assert verdict.confidence >= 0.5


def test_the_pipeline_learns_the_easy_rows(made: Path) -> None:
    default, sentiment = load_findings(made / "work").bundles
    assert default.verdicts
    shares = {item.name: item.flagged["standard"] for item in default.verdicts.sets}
    assert shares["curse-detection curse"] > 0.2  # few rows and a tiny network: that it learns at all
    assert shares["curse-detection clean"] < 0.2
    assert shares["everyday sentences"] < 0.2
    assert default.verdicts.questions["K-MHaS, any label"].macro_f1 > 0.2
    assert set(default.verdicts.diluted) == {2, 4, 8}
    assert sentiment.verdicts is None
    assert sentiment.sentiment["NSMC, positive or negative"] > 0.5


def test_the_report_and_its_plots_are_written(made: Path) -> None:
    report = (made / "docs" / "model.md").read_text(encoding="utf-8")
    assert "model-default-curves.svg" in report
    assert (made / "docs" / "model-default-curves.svg").stat().st_size > 1_000
    assert "| K/DA neutral | " in report.partition("### Harmless text that is flagged")[2]
    assert "| K/DA implicit | " in report.partition("### Bad text that is found")[2]


def test_the_cards_say_what_the_bundles_are_and_fill_the_readmes_table(made: Path) -> None:
    for name in ("default", "sentiment"):
        config = load_bundle(made / "models" / name).config  # the card is a part of it
        card = (made / "models" / name / "README.md").read_text(encoding="utf-8")
        assert card.startswith(f"# {config.name}\n")
        assert all(f"| `{label}` |" in card for label in config.labels)
    card = (made / "models" / "default" / "README.md").read_text(encoding="utf-8")
    assert "| threats | " in headline(card, ENGLISH)


def test_a_second_run_trains_nothing_again(made: Path) -> None:
    weights = made / "work" / "student" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    run_pipeline(Workspace(SMOKE, EMBEDDED, made / "work", None), Output(made / "models", made / "docs"))
    assert weights.stat().st_mtime_ns == before


def test_an_encoder_taken_out_of_a_bundle_says_what_the_bundle_says(made: Path) -> None:
    bundle = load_bundle(made / "models" / "default")
    tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
    texts = ["그 배우는 정말 좋네요 3", "야 이 병신 그만해라", "이번 정책은 조금 아쉬웠어요"]
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    student = served_network(load_network(made / "work" / "student"), TOXICITY)
    again = CommentNetwork(encoder_of_bundle(bundle), len(SERVED) + 1, student.window_tokens).eval()
    again.head.load_state_dict(student.head.state_dict())
    again.wide, again.folds = student.wide, student.folds

    with torch.no_grad():
        said = again(*pad(ids, bundle.config.pad_token_id)).numpy()

    # Rounding to int8 is all that lies between them.
    np.testing.assert_allclose(said, GraphRunner.of_bundle(bundle).logits_of_ids(ids), atol=0.25)

    # And a network taken out whole has the bundle's head as well.
    whole = served_network(network_of_bundle(bundle, SIGNALS, student.window_tokens), TOXICITY)
    assert torch.equal(whole.head.weight, student.head.weight)
    assert torch.equal(whole.head.bias, student.head.bias)
    assert whole.wide is not None
    assert student.wide is not None
    assert torch.equal(whole.wide.table, student.wide.table)
    assert torch.equal(whole.wide.spread, student.wide.spread)
    assert student.wide.table.abs().sum() > 0


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
