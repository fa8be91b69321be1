"""A model whose int8 weights a processor without VNNI cuts off says so there, and only there."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import QuantType, quantize_dynamic

from bundles.record import ConversionRecord, read_record
from bundles.sources import resolver, source_resolver
from convert import pipeline
from convert.onnx_import import import_float_graph, write_int8
from convert.pipeline import Conversion
from convert.saturation import saturating_share
from shared.settings import Settings
from tests.support.checkpoints import BERTClassifier, bert_classifier
from tests.support.checkpoints import quantised as quantised_by_torch
from tests.support.families import write_family_folder
from tests.support.sources import write_legacy_folder
from tests.unit.convert.test_onnx_ends import TEXTS, export

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]


def imported(folder: Path, model: onnx.ModelProto | Path) -> Path:
    """The int8 graph that is made of an export."""
    folder.mkdir(exist_ok=True)
    path = model if isinstance(model, Path) else folder / "model.onnx"
    if not isinstance(model, Path):
        onnx.save(model, str(path))
    is_int8 = import_float_graph(path, folder / "float.onnx")
    write_int8(folder / "float.onnx", folder / "int8.onnx", TEXTS, is_int8=is_int8)
    return folder / "int8.onnx"


def quantised(folder: Path, weights: Any, *, reduced: bool = False) -> Path:
    """An export with two layers as optimum rounds it: `model_qint8_avx512_vnni.onnx`, `model_quantized.onnx`."""
    model = export()
    second = onnx.numpy_helper.from_array(np.random.default_rng(4).normal(size=(32, 32)).astype(np.float32), "second")
    model.graph.initializer.append(second)
    at = next(at for at, node in enumerate(model.graph.node) if node.op_type == "MatMul")
    model.graph.node.insert(at, onnx.helper.make_node("MatMul", ["mean", "second"], ["deep"], "second_product"))
    model.graph.node[at + 1].input[0] = "deep"
    onnx.save(model, str(folder / "plain.onnx"))
    quantize_dynamic(
        str(folder / "plain.onnx"), str(folder / "model_int8.onnx"), weight_type=weights, per_channel=True,
        reduce_range=reduced, extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )  # fmt: skip
    return folder / "model_int8.onnx"


def test_weights_of_eight_bits_with_a_sign_are_counted(tmp_path: Path) -> None:
    assert 0.005 < saturating_share(imported(tmp_path, quantised(tmp_path, QuantType.QInt8))) < 0.2


@pytest.mark.parametrize(("weights", "reduced"), [(QuantType.QInt8, True), (QuantType.QUInt8, False)])
def test_weights_of_seven_bits_and_those_without_a_sign_are_not(tmp_path: Path, weights: Any, reduced: bool) -> None:
    assert saturating_share(imported(tmp_path, quantised(tmp_path, weights, reduced=reduced))) == 0.0


@pytest.mark.parametrize("exact", [True, False])
def test_a_checkpoint_that_torch_rounded_says_so_where_it_is_not_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    monkeypatch.setattr(source_resolver, "convert", lambda request, on_report: Conversion(request, on_report).run())
    monkeypatch.setattr(pipeline, "has_exact_int8_products", lambda: exact)
    told: list[object] = []
    folder = tmp_path / "model"
    write_quantised(folder)

    bundle = resolver.resolve(Settings(model=str(folder), cache_dir=tmp_path / "cache"), told.append)

    record = read_record(bundle.path)
    assert record is not None
    assert record.saturating_pairs > 0
    assert [said for said in record.notices if "VNNI" in said] == []  # it may be served elsewhere
    assert any("VNNI" in str(report) for report in told) != exact
    assert any("VNNI" in said for said in record.notices_here(has_exact_products=exact)) != exact


def test_what_is_rounded_here_has_no_such_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_resolver, "convert", lambda request, on_report: Conversion(request, on_report).run())
    write_family_folder(tmp_path / "model", "ELECTRA")
    bundle = resolver.resolve(Settings(model=str(tmp_path / "model"), cache_dir=tmp_path / "cache"), lambda _: None)
    record = read_record(bundle.path)
    assert isinstance(record, ConversionRecord)
    assert record.saturating_pairs == 0
    assert record.notices_here(has_exact_products=False) == record.notices


def write_quantised(folder: Path) -> None:
    """KoBERT's kind of folder, dynamically quantised by torch."""
    write_legacy_folder(folder, quantised_by_torch(BERTClassifier(bert_classifier())).state_dict())
