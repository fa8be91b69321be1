"""A checkpoint of the KoBERT tutorials on a volume: converted by the one-shot, served by workers without torch."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from convert.sentencepiece_tokenizer import own_ids
from shared.settings import Settings
from shared.verdict import Verdict
from tests.containers.engine import Engine, Project, report
from tests.containers.test_compose import wait_ready
from tests.support.checkpoints import SENTENCES
from tests.support.pickles import gluonnlp_vocabulary
from tests.support.sources import write_legacy_folder
from tests.support.stack import free_port
from worker.main import build_classifier

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

TOLERANCE = 0.01


@pytest.fixture(scope="module")
def models_dir() -> Iterator[Path]:
    """`textClassifierModel.pt`, `category.pkl`, `vocab.pkl` and the SentencePiece model in `mine/`."""
    folder = Path(tempfile.mkdtemp(prefix="kt-"))
    folder.chmod(0o755)  # the container's user is not ours
    mine = write_legacy_folder(folder / "mine")
    (mine / "vocab.pkl").write_bytes(gluonnlp_vocabulary(list(own_ids(mine / "spiece.model")), protocol=4))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def expected_scores(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """What the same files give without any container."""
    settings = Settings(model=str(models_dir / "mine"), data_dir=tmp_path_factory.mktemp("data"), model_threads=1)
    classifier = build_classifier(settings)
    verdicts = classifier.outcomes_in_order(SENTENCES)
    classifier.batcher.close()
    scores = [verdict.scores for verdict in verdicts if isinstance(verdict, Verdict)]
    assert len(scores) == len(SENTENCES)
    return scores


@pytest.mark.parametrize("start", [1, 2, 3])
def test_a_legacy_set_is_converted_once_and_served_without_torch_from_a_cold_start(
    converting_images: Engine, models_dir: Path, expected_scores: list[dict[str, float]], start: int
) -> None:
    variables = {"MODEL": "/models/mine", "MODELS_DIR": str(models_dir)}
    project = Project(converting_images, "kobert-legacy", free_port(), **variables)
    project.down()  # with its volumes: nothing is converted yet
    try:
        project.up()
        wait_ready(project)
        answers = httpx.post(f"{project.url}/predict", json={"texts": list(SENTENCES)}, timeout=60).json()["results"]

        (worker,) = project.containers("worker")
        assert not project.engine.succeeds("exec", worker, "python", "-c", "import torch")
        (one_shot,) = project.containers("model", ended=True)
        assert "rounding to int8" in project.logs(one_shot)
        assert "model_progress" not in project.logs(worker)
        for answer, expected in zip(answers, expected_scores, strict=True):
            assert answer["scores"] == pytest.approx(expected, abs=TOLERANCE)
        report(f"cold start {start}: {json.dumps(answers[0]['scores'])}")
    finally:
        project.down()
