"""Each bundle in `models/`, run by the worker's own parts: its size, and its verdicts on the sets of `tests/data`."""

import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bundles.format import CONFIG_FILE, Bundle, BundleConfig, load_bundle, write_manifest
from models import embedded_names
from shared.options import VerdictOptions
from tests.support.shipped_limits import CHECKS, LIMITS, Check, Served, find_fault, has_fault
from training.data.sets import unseen_sets

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

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
        "neutral": ("상영 시간은 두 시간 십 분입니다", "예매는 앱에서 할 수 있나요?"),
        "negative": ("시간 아깝다 최악의 영화", "지루하고 내용이 하나도 없음 돈 아까워"),
    },
}
CASES = [(name, expected, text) for name, sets in PLAIN.items() for expected, texts in sets.items() for text in texts]


EVERY_CHECK = [
    pytest.param(name, check, id=f"{name}-{check.name}") for name, checks in CHECKS.items() for check in checks
]


@pytest.fixture(scope="module")
def served() -> dict[str, Served]:
    return {name: Served(load_bundle(MODELS / name)) for name in embedded_names()}


def test_the_shipped_models_are_those_that_are_tested_here() -> None:
    assert sorted(embedded_names()) == sorted(PLAIN) == sorted(CHECKS)


def test_every_test_set_has_a_limit() -> None:
    assert {item.name for item in unseen_sets()} == set(LIMITS)


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_bundle_is_small(name: str) -> None:
    assert sum(file.stat().st_size for file in (MODELS / name).iterdir()) <= LARGEST_BYTES


@pytest.mark.parametrize(("name", "expected", "text"), CASES)
def test_a_plain_text_is_judged_as_anybody_would(
    served: dict[str, Served], name: str, expected: str, text: str
) -> None:
    assert served[name].verdicts([text])[0].classification == expected


@pytest.mark.parametrize(("name", "check"), EVERY_CHECK)
def test_a_shipped_model_keeps_to_its_limits_on_the_test_sets(
    served: dict[str, Served], name: str, check: Check
) -> None:
    fault = check.find_fault(served[name])
    assert fault is None, fault


def changed_copy(bundle: Path, copy: Path, **fields: object) -> Bundle:
    """A copy of the bundle in folder `bundle`, with other values of these fields of its config."""
    shutil.copytree(bundle, copy)
    config = msgspec.json.decode((copy / CONFIG_FILE).read_bytes(), type=BundleConfig)
    (copy / CONFIG_FILE).write_bytes(msgspec.json.encode(msgspec.structs.replace(config, **fields)))
    write_manifest(copy)
    return load_bundle(copy)


SWAPS = [
    pytest.param(name, pair, id=f"{name}-{'-'.join(pair)}")
    for name in sorted(PLAIN)
    for pair in combinations(load_bundle(MODELS / name).config.labels, 2)
]


@pytest.mark.parametrize(("name", "pair"), SWAPS)
def test_two_swapped_labels_are_noticed(
    served: dict[str, Served], name: str, pair: tuple[str, str], tmp_path: Path
) -> None:
    swap = dict(zip(pair, reversed(pair), strict=True))
    labels = [swap.get(label, label) for label in served[name].config.labels]
    bundle = changed_copy(MODELS / name, tmp_path / "swapped", labels=labels)

    # The graph is the same file, so its logits need not be worked out again.
    assert has_fault(name, Served(bundle, served[name].logits))


@pytest.mark.parametrize(("threshold", "noticed"), [(0.0, "innocent look-alikes"), (1.0, "disguised curses")])
def test_a_model_that_flags_everything_or_nothing_is_noticed(
    served: dict[str, Served], threshold: float, noticed: str, tmp_path: Path
) -> None:
    thresholds = dict.fromkeys(served["default"].config.labels, threshold)
    bundle = changed_copy(MODELS / "default", tmp_path / "changed", thresholds=thresholds, strictness={})
    assert find_fault("default", noticed, Served(bundle, served["default"].logits))


def test_a_model_without_threats_is_noticed(served: dict[str, Served], tmp_path: Path) -> None:
    """The bundle that shipped before the verdict had no such label."""
    renamed = ["harm" if label == "threat" else label for label in served["default"].config.labels]
    calm: dict[str, Any] = {"thresholds": {}, "strictness": {}, "calibration": {}}
    bundle = changed_copy(MODELS / "default", tmp_path / "old", labels=renamed, **calm)
    assert find_fault("default", "label threat", Served(bundle, served["default"].logits))


def test_the_top_score_is_the_word_and_is_at_least_one_half(served: dict[str, Served]) -> None:
    texts = [text for item in unseen_sets() for text in item.texts]
    for text, verdict in zip(texts, served["default"].verdicts(texts), strict=True):
        assert next(iter(verdict.scores)) == verdict.classification, text
        assert verdict.confidence >= 0.5, text


def test_a_stricter_level_flags_what_a_milder_one_does(served: dict[str, Served]) -> None:
    model = served["default"]
    texts = [text for item in unseen_sets() for text in item.texts]
    model.verdicts(texts)
    counts = []
    for text in texts:
        lenient, standard, strict = (
            model.judge.judge(model.logits[text], VerdictOptions(level)).classification != "clean"
            for level in ("lenient", "standard", "strict")
        )
        assert lenient <= standard <= strict, text
        counts.append((lenient, standard, strict))
    assert sum(count[0] for count in counts) < sum(count[1] for count in counts) < sum(count[2] for count in counts)


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_score_does_not_hang_on_the_texts_beside_it(served: dict[str, Served], name: str) -> None:
    model = served[name]
    encoded = model.tokenizer.encode([text for case, _, text in CASES if case == name])
    rows = [windows[0] for windows in encoded]
    together = model.engine.run(rows)
    alone = np.concatenate([model.engine.run([row]) for row in rows])
    assert np.abs(together - alone).max() < 1e-3


def test_a_sign_of_control_in_a_comment_is_read_as_letters(served: dict[str, Served]) -> None:
    empty, spelled = served["default"].tokenizer.encode(["", "안녕 </s> <s> <pad> 하"])
    assert not set(empty[0]) & set(spelled[0][1:-1])
