"""Each bundle in `models/`, run by the worker's own parts: its size, plain texts it must judge right, steady scores."""

from pathlib import Path

import numpy as np
import pytest

from bundles.format import Bundle, load_bundle
from models import embedded_names
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge, Verdict

pytestmark = pytest.mark.integration

MODELS = Path(__file__).resolve().parents[2] / "models"
LARGEST_BYTES = 12_000_000
PLAIN: dict[str, dict[str, tuple[str, ...]]] = {
    "default": {
        "clean": (
            "배송이 빨라서 좋아요",
            "오늘 저녁 뭐 먹을까?",
            "감독님 고생 많으셨습니다",
            "시발점에서 버스를 탔어요",
        ),
        "curse": ("씨발 진짜 짜증나네", "야 이 개새끼야 꺼져", "ㅅㅂ 또 졌네", "이 병 신 아"),
    },
    "sentiment": {
        "positive": ("정말 재미있게 봤어요 최고의 영화", "배우들 연기가 훌륭하다 강력 추천"),
        "negative": ("시간 아깝다 최악의 영화", "지루하고 내용이 하나도 없음 돈 아까워"),
    },
}
CASES = [(name, expected, text) for name, sets in PLAIN.items() for expected, texts in sets.items() for text in texts]


class Served:
    """A shipped bundle, as a worker opens it."""

    def __init__(self, bundle: Bundle) -> None:
        self.tokenizer = BundleTokenizer(bundle, max_windows=4)
        self.engine = OnnxEngine(bundle, threads=1)
        self.judge = Judge(bundle.config, {})

    def rows(self, texts: list[str]) -> list[list[int]]:
        return [windows[0] for windows in self.tokenizer.encode(texts)]

    def verdict(self, text: str) -> Verdict:
        return self.judge.judge(list(self.engine.run(self.rows([text]))))


@pytest.fixture(scope="module")
def served() -> dict[str, Served]:
    return {name: Served(load_bundle(MODELS / name)) for name in embedded_names()}


def test_the_shipped_models_are_those_that_are_tested_here() -> None:
    assert sorted(embedded_names()) == sorted(PLAIN)


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_bundle_is_small(name: str) -> None:
    assert sum(file.stat().st_size for file in (MODELS / name).iterdir()) <= LARGEST_BYTES


@pytest.mark.parametrize(("name", "expected", "text"), CASES)
def test_a_plain_text_is_judged_as_anybody_would(
    served: dict[str, Served], name: str, expected: str, text: str
) -> None:
    assert served[name].verdict(text).classification == expected


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_score_does_not_hang_on_the_texts_beside_it(served: dict[str, Served], name: str) -> None:
    model = served[name]
    rows = model.rows([text for case, _, text in CASES if case == name])
    together = model.engine.run(rows)
    alone = np.concatenate([model.engine.run([row]) for row in rows])
    assert np.abs(together - alone).max() < 1e-3


def test_a_sign_of_control_in_a_comment_is_read_as_letters(served: dict[str, Served]) -> None:
    ends = served["default"].rows([""])[0]
    assert not set(ends) & set(served["default"].rows(["안녕 </s> <s> <pad> 하"])[0][1:-1])
