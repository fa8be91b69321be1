"""Workers of one machine share a model's packed weights, and a model answers with them as without."""

from pathlib import Path

import numpy as np
import pytest

from bundles.format import Bundle, load_bundle
from models import EMBEDDED_DIR
from shared.settings import load_settings
from worker import main
from worker.inference.engines import packed
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.engines.packed import share_weights

pytestmark = pytest.mark.integration

ROWS = [[0, 17, 300, 2], [0, *range(40, 70), 2], [0, 5, 2]]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(EMBEDDED_DIR / "default")


def test_a_packed_graph_is_made_once_and_answers_bit_by_bit_as_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    shared = share_weights(bundle, tmp_path, least_bytes=0)
    graph = shared.packed_graph
    assert graph is not None
    made_at = graph.stat().st_mtime_ns
    again = share_weights(bundle, tmp_path, least_bytes=0)

    assert (again.packed_graph, graph.stat().st_mtime_ns) == (graph, made_at)
    assert (graph.parent / "model.onnx.data").stat().st_size > bundle.graph_bytes
    assert np.array_equal(OnnxEngine(bundle, 1).run(ROWS), OnnxEngine(shared, 1).run(ROWS))


def test_a_small_model_is_left_as_it_is(bundle: Bundle, tmp_path: Path) -> None:
    assert share_weights(bundle, tmp_path) == bundle
    assert not list(tmp_path.iterdir())


def test_a_packed_graph_that_was_damaged_is_made_again(bundle: Bundle, tmp_path: Path) -> None:
    graph = share_weights(bundle, tmp_path, least_bytes=0).packed_graph
    assert graph is not None
    weights = graph.parent / "model.onnx.data"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    assert share_weights(bundle, tmp_path, least_bytes=0).packed_graph == graph
    assert weights.read_bytes() == whole


def test_another_processor_gets_a_packed_graph_of_its_own(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = share_weights(bundle, tmp_path, least_bytes=0)
    other = tmp_path / "cpuinfo"
    other.write_text("model name : another\nflags : avx2\n")
    monkeypatch.setattr(packed, "_CPU_INFO", other)
    there = share_weights(bundle, tmp_path, least_bytes=0)
    monkeypatch.setattr(packed, "_CPU_INFO", tmp_path / "none")

    assert there.packed_graph != here.packed_graph
    assert share_weights(bundle, tmp_path, least_bytes=0) == bundle


def test_a_graph_that_answers_otherwise_is_not_used(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[np.zeros(2)], [np.ones(2)]])
    monkeypatch.setattr(packed, "_answers", lambda _: next(answers))

    assert share_weights(bundle, tmp_path, least_bytes=0) == bundle
    assert not [path for path in (tmp_path / "packed").iterdir() if path.is_dir()]


def test_a_folder_that_cannot_be_written_costs_only_the_sharing(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "packed").write_text("a file in its place")

    assert share_weights(bundle, tmp_path, least_bytes=0) == bundle


def test_a_packed_graph_that_cannot_be_opened_is_passed_over(bundle: Bundle, tmp_path: Path) -> None:
    shared = share_weights(bundle, tmp_path, least_bytes=0)
    assert shared.packed_graph is not None
    shared.packed_graph.write_bytes(b"no graph")

    assert np.array_equal(OnnxEngine(bundle, 1).run(ROWS), OnnxEngine(shared, 1).run(ROWS))


def test_workers_of_one_service_share_their_weights_and_a_lone_one_packs_them_in_its_own_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: list[Path] = []

    def share(bundle: Bundle, folder: Path) -> Bundle:
        shared.append(folder)
        return bundle

    monkeypatch.setattr(main, "share_weights", share)
    for workers in (1, 2):
        main.build_classifier(load_settings(workers=workers, data_dir=tmp_path)).batcher.close()

    assert shared == [tmp_path / "models"]
