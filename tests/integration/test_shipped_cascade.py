"""The cascade of each bundle in `models/` that ships with one: nothing of `tests/data` is lost, and all limits hold."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bundles.cascade import CascadeTable, cascade_of
from bundles.format import Bundle, load_bundle
from shared.verdict import Verdict
from tests.support.shipped_limits import CHECKS, Check, Served
from training.data.sources import held_out_rows
from worker.inference.cascade import Cascade
from worker.inference.verdict import Judge

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

MODELS = Path(__file__).resolve().parents[2] / "models"
WITH_CASCADE = ["default"]
EVERY_CHECK = [pytest.param(name, check, id=f"{name}-{check.name}") for name in WITH_CASCADE for check in CHECKS[name]]


def cascade_in(name: str) -> tuple[Bundle, CascadeTable]:
    bundle = load_bundle(MODELS / name)
    table = cascade_of(bundle)
    assert table is not None, f"models/{name} has lost its cascade: python -m training.cascade --bundle models/{name}"
    return bundle, table


class ServedWithCascade(Served):
    """A bundle, as a worker with CASCADE=on opens it."""

    def __init__(self, bundle: Bundle, table: CascadeTable) -> None:
        super().__init__(bundle)
        self._cascade = Cascade(table, bundle, self.judge)

    def verdicts(self, texts: Sequence[str]) -> list[Verdict]:
        for text, windows in zip(texts, self.tokenizer.encode(texts), strict=True):
            if text not in self.logits:
                certain = self._cascade.logits(windows)
                if certain is not None:
                    self.logits[text] = [certain]
        return super().verdicts(texts)

    def to_be_read(self, windows: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
        return self._cascade.to_be_read(windows)


@functools.cache
def opened_with_cascade(name: str) -> ServedWithCascade:
    return ServedWithCascade(*cascade_in(name))


@pytest.fixture(scope="module", params=WITH_CASCADE)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_no_text_of_the_test_sets_that_the_model_flags_is_lost(name: str) -> None:
    bundle, _ = cascade_in(name)
    texts = list(dict.fromkeys(row.text for row in held_out_rows()))
    alone, with_cascade = Served(bundle), opened_with_cascade(name)
    on = with_cascade.verdicts(texts)
    clean = bundle.config.clean_label
    off = [verdict.classification for verdict in alone.verdicts(texts)]
    lost = [text for text, was, now in zip(texts, off, on, strict=True) if was != clean == now.classification]

    assert lost == []
    assert any(verdict.scores != was.scores for verdict, was in zip(on, alone.verdicts(texts), strict=True))


def test_what_it_answers_with_keeps_the_promises_of_the_contract(name: str) -> None:
    bundle, table = cascade_in(name)
    judge = Judge(bundle.config, {})
    for margin in np.linspace(table.knots[0][0] - 1, table.cut, 200):
        verdict = judge.judge([np.array(table.logits_at(float(margin)), dtype=np.float32)])

        assert verdict.classification == bundle.config.clean_label
        assert verdict.confidence == max(verdict.scores.values()) >= 0.5
        assert next(iter(verdict.scores)) == verdict.classification


@pytest.mark.parametrize(("bundle_name", "check"), EVERY_CHECK)
def test_the_limits_on_the_test_sets_hold_with_it(bundle_name: str, check: Check) -> None:
    cascade_in(bundle_name)
    fault = check.find_fault(opened_with_cascade(bundle_name))
    assert fault is None, fault
