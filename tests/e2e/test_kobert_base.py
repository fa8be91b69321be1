"""The original service's own file, at its real size, from the Hub to an answer: MODEL=owner/name kobert run."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bench.load import predict_all
from bundles.text.sentencepiece import read_model
from tests.e2e.test_run import Run
from tests.support.checkpoints import BERTClassifier, bert_classifier, quantised, save, write_sentencepiece
from tests.support.hub_server import HubServer, running_hub
from tests.support.pickles import dumps

pytestmark = [pytest.mark.e2e, pytest.mark.training, pytest.mark.timeout(600)]

REPO = "hiddenFront/TextClassifier"
LABELS = ("clean", "curse", "conflictOfGeneration", "insult", "caricature")
VOCABULARY = 8_002
WORKER_PEAK_MIB = 300
MIB = 1 << 20


def sentencepiece_of(vocabulary: int, path: Path) -> bytes:
    """A small SentencePiece model with pieces that no text has, up to the size of the model's vocabulary."""
    proto = read_model(write_sentencepiece(path))
    for index in range(len(proto.pieces), vocabulary):
        piece = proto.pieces.add()
        piece.piece, piece.score = f"<unused {index}>", -100.0
    content: bytes = proto.SerializeToString()
    return content


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    """A Hub with the original's `textClassifierModel.pt` (112 MB) and `category.pkl`, and KoBERT's own repository."""
    model = bert_classifier(len(LABELS), layers=12, hidden=768, vocabulary=VOCABULARY)
    checkpoint = save(quantised(BERTClassifier(model)).state_dict(), tmp_path / "textClassifierModel.pt")
    assert checkpoint.stat().st_size > 112_000_000
    spiece = sentencepiece_of(VOCABULARY, tmp_path / "spiece.model")
    with running_hub() as server:
        categories = dumps({label: index for index, label in enumerate(LABELS)})
        server.add(REPO, {checkpoint.name: checkpoint.read_bytes(), "category.pkl": categories})
        server.add("skt/kobert-base-v1", {"spiece.model": spiece})
        yield server


def peak_rss_mib(pid: int) -> float:
    """The most memory that a process ever had, its start included."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def test_the_originals_model_is_served_in_300_mb_and_without_the_hub_the_second_time(
    hub: HubServer, short_tmp: Path
) -> None:
    settings: dict[str, object] = {
        "model": REPO,
        "hf_endpoint": hub.url,
        "hf_home": short_tmp / "hf",
        "hf_hub_disable_xet": 1,
        # A busy machine is slow with a model of this size, and 256 texts at once are let in only if they end in time.
        "predict_timeout_s": 240,
    }

    first = Run(short_tmp, **settings).wait_ready()
    answer = first.predict("이 영화 정말 재미있었어요!")
    many = [f"{number}번째 댓글은 조금 더 길고, 여러 사람이 한꺼번에 보냅니다." for number in range(256)]
    asyncio.run(predict_all(first.url, [many[i : i + 64] for i in range(0, 256, 64)], clients=4))
    peak_mib = peak_rss_mib(first.child("worker.main").pid)
    first.end()
    hub.server_close()
    second = Run(short_tmp, **settings).wait_ready()
    again = second.predict("이 영화 정말 재미있었어요!")
    second.end()

    assert sorted(answer["scores"]) == sorted(LABELS)
    assert answer["scores"] == again["scores"]
    assert "cannot be reached" in second.text()
    assert peak_mib <= WORKER_PEAK_MIB
