"""How many passes run at a time, and on how many processors each: `MODEL_THREADS` and `PASS_THREADS`."""

import threading
from pathlib import Path

import pytest

from bundles.format import Bundle
from bundles.sources.resolver import resolve
from shared.settings import Settings
from tests.support.echo import EchoEngine
from worker.inference.engines.onnx import OnnxEngine
from worker.main import build_classifier


@pytest.mark.parametrize("pass_threads", [1, 2])
def test_the_settings_reach_the_engine_and_the_batcher(echo_bundle: Path, pass_threads: int) -> None:
    asked: list[int] = []

    def engine(bundle: Bundle, threads: int) -> EchoEngine:
        asked.append(threads)
        return EchoEngine(bundle, threads)

    before = threading.active_count()
    settings = Settings(model=str(echo_bundle), model_threads=3, pass_threads=pass_threads)
    classifier = build_classifier(settings, engine)
    try:
        assert asked == [pass_threads]
        assert threading.active_count() - before >= settings.inference_threads() == 3
    finally:
        classifier.batcher.close()


@pytest.mark.parametrize("pass_threads", [1, 2])
def test_a_pass_has_as_many_threads_as_it_is_said(pass_threads: int) -> None:
    engine = OnnxEngine(resolve(Settings(model="default")), pass_threads)
    assert engine._session.get_session_options().intra_op_num_threads == pass_threads
