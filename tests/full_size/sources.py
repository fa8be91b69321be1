"""Kinds of source that Korean users have: real architectures with random weights, in every form that is in the wild.

A source is a model of `MODELS` with its vocabulary, written by one of the writers below into a folder.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import float16, optimizer

from tests.full_size.models import HEAD_WIDTH, LABELS
from tests.full_size.vocabularies import Vocabulary
from tests.support.broken import lightning_checkpoint
from tests.support.checkpoints import BERTClassifier, quantised, save
from tests.support.pickles import dumps

_SHARD = "200MB"


@dataclass(frozen=True)
class Written:
    """What a writer has: the model and its vocabulary, and folders for the source and for exports, which are kept."""

    model: Any
    vocabulary: Vocabulary
    folder: Path
    exports: Path

    def export(self) -> Path:
        """The float ONNX export of the model, made once for all sources that begin with it."""
        path = self.exports / "model.onnx"
        if not path.is_file():
            self.exports.mkdir(parents=True, exist_ok=True)
            _export(self.model, path.with_suffix(".making"))
            path.with_suffix(".making").rename(path)
        return path


Writer = Callable[[Written], Path]


FLOAT_TOLERANCE = 1e-3
# Of an export that itself computes in half precision.
HALF_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Source:
    """A kind of source, in both languages; `model` is a key of `MODELS`.

    `reference` says whose answers count: those of the model, of its weights rounded as the file has them, or of the
    file itself, run by ONNX Runtime. `refused` is in the sentence of a source that must be refused. `float_tolerance`:
    how far logits in float may be from the reference.
    """

    name: str
    korean: str
    model: str
    write: Writer
    reference: str = "model"
    settings: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    float_tolerance: float = FLOAT_TOLERANCE


def folder_of_transformers(dtype: Any = None, **options: Any) -> Writer:
    def write(made: Written) -> Path:
        (made.model if dtype is None else made.model.to(dtype)).save_pretrained(made.folder, **options)
        made.vocabulary.copy(made.folder)
        return made.folder

    return write


def folder_with_bin(state: Callable[[Any], Any] = lambda model: model.state_dict()) -> Writer:
    def write(made: Written) -> Path:
        made.model.config.save_pretrained(made.folder)
        save(state(made.model), made.folder / "pytorch_model.bin")
        made.vocabulary.copy(made.folder)
        return made.folder

    return write


def bin_in_parts(made: Written) -> Path:
    """As transformers 4 left it: `pytorch_model.bin.index.json`."""
    made.model.config.save_pretrained(made.folder)
    state = made.model.state_dict()
    names = list(state)
    halves = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
    for file, keys in halves.items():
        save({key: state[key].clone() for key in keys}, made.folder / file)
    index = {"metadata": {}, "weight_map": {key: file for file, keys in halves.items() for key in keys}}
    (made.folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    made.vocabulary.copy(made.folder)
    return made.folder


def output_of_trainer(made: Written) -> Path:
    """Two checkpoints with the state of the training beside them; the newer one counts."""
    newer, older = made.folder / "checkpoint-1000", made.folder / "checkpoint-500"
    made.model.save_pretrained(newer)
    made.vocabulary.copy(newer)
    (newer / "trainer_state.json").write_text(json.dumps({"best_model_checkpoint": str(newer), "global_step": 1000}))
    save({"state": {}, "param_groups": [{"lr": 5e-5}]}, newer / "optimizer.pt")
    save({"output_dir": "out"}, newer / "training_args.bin")
    older.mkdir()
    for path in newer.iterdir():
        os.link(path, older / path.name)
    return made.folder


def lightning(made: Written) -> Path:
    save(lightning_checkpoint(made.model.state_dict()), made.folder / "epoch=3-step=1000.ckpt")
    (made.folder / "labels.json").write_text(json.dumps(list(LABELS)))
    made.vocabulary.copy(made.folder)
    return made.folder


def pt_of_skt(state: Callable[[Any], Any]) -> Writer:
    def write(made: Written) -> Path:
        save(state(made.model), made.folder / "textClassifierModel.pt")
        (made.folder / "category.pkl").write_bytes(dumps({label: index for index, label in enumerate(LABELS)}))
        made.vocabulary.copy(made.folder)
        return made.folder

    return write


def onnx_export(change: Callable[[Path, Path], None], name: str = "model.onnx") -> Writer:
    """An export as optimum leaves it: the graph, by `change(float_graph, target)`, its config and tokenizer.json."""

    def write(made: Written) -> Path:
        made.model.config.save_pretrained(made.folder)
        made.vocabulary.copy(made.folder)
        target = made.folder / name
        target.parent.mkdir(exist_ok=True)
        change(made.export(), target)
        return made.folder

    return write


def _copied(graph: Path, target: Path) -> None:
    shutil.copy(graph, target)


def _in_half_precision(graph: Path, target: Path) -> None:
    onnx.save(float16.convert_float_to_float16(onnx.load(str(graph)), keep_io_types=False), str(target))


def _optimised(graph: Path, target: Path) -> None:
    """Fused attention, layer norm and gelu, as `optimum-cli export onnx --optimize O2` writes them."""
    model = onnx.load(str(graph), load_external_data=False)
    widths = {tensor.dims[0] for tensor in model.graph.initializer if len(tensor.dims) == 1}
    hidden = min(width for width in widths if width % HEAD_WIDTH == 0)
    fused = optimizer.optimize_model(
        str(graph), model_type="bert", num_heads=hidden // HEAD_WIDTH, hidden_size=hidden, opt_level=1
    )
    fused.save_model_to_file(str(target))


def _behind_links(graph: Path, target: Path) -> None:
    """The weights in a file of their own, both as a snapshot of the Hub has them: links to files of other names."""
    blobs = target.parent.parent / f"{target.parent.name}-blobs"
    shutil.rmtree(blobs, ignore_errors=True)
    blobs.mkdir()
    data = f"{target.name}_data"
    onnx.save(onnx.load(str(graph)), str(blobs / "graph"), save_as_external_data=True, location=data)
    (blobs / data).rename(blobs / "weights")
    target.symlink_to((blobs / "graph").resolve())
    target.with_name(data).symlink_to((blobs / "weights").resolve())


def _quantised_by_onnxruntime(weight_type: Any, **options: Any) -> Callable[[Path, Path], None]:
    def change(graph: Path, target: Path) -> None:
        extra = {"DefaultTensorType": onnx.TensorProto.FLOAT}
        quantize_dynamic(str(graph), str(target), weight_type=weight_type, extra_options=extra, **options)

    return change


class _Logits(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        names = ("input_ids", "attention_mask", "token_type_ids")
        logits: torch.Tensor = self.model(**dict(zip(names, inputs, strict=False))).logits
        return logits


def _export(model: Any, path: Path) -> None:
    """What optimum's export writes: named inputs, `logits`, both axes free."""
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = torch.ones(2, 8, dtype=torch.int64)
    ids = torch.randint(5, 100, (2, 8))
    torch.onnx.export(
        _Logits(model).eval(), (ids, example, torch.zeros_like(example)), str(path), dynamo=False,
        input_names=names, output_names=["logits"], opset_version=17,
        dynamic_axes={name: {0: "batch", 1: "length"} for name in names} | {"logits": {0: "batch"}},
    )  # fmt: skip


def _nested(model: Any) -> Any:
    return {"model_state_dict": {f"module.{name}": tensor for name, tensor in model.state_dict().items()}, "epoch": 3}


_WHOLE = "whole pickled model"
SOURCES = (
    Source("KoBERT, SKT's `BERTClassifier`, state dict `.pt`", "KoBERT, SKT `BERTClassifier`, state dict `.pt`",
           "KoBERT", pt_of_skt(lambda model: BERTClassifier(model).state_dict())),
    Source("the same, float16", "같은 것, float16", "KoBERT",
           pt_of_skt(lambda model: {name: tensor.half() for name, tensor in model.state_dict().items()}), "float16"),
    Source("the same, bfloat16", "같은 것, bfloat16", "KoBERT",
           pt_of_skt(lambda model: {name: tensor.bfloat16() for name, tensor in model.state_dict().items()}),
           "bfloat16"),
    Source("the same, dynamically quantised by torch (112 MB)", "같은 것, torch 동적 양자화(112 MB)", "KoBERT",
           pt_of_skt(lambda model: quantised(BERTClassifier(model)).state_dict()), "quantised"),
    Source("the same, quantised with a scale a row", "같은 것, 행마다 scale을 둔 양자화", "KoBERT",
           pt_of_skt(lambda model: quantised(BERTClassifier(model), per_channel=True).state_dict()),
           "quantised by row"),
    Source("the same from `DataParallel`, inside a training checkpoint", "같은 것, `DataParallel` 학습 체크포인트 안",
           "KoBERT", pt_of_skt(_nested)),
    Source("the whole model as a pickle", "모델 전체를 pickle로 저장한 것", "KoBERT", pt_of_skt(BERTClassifier),
           refused=_WHOLE),
    Source("the whole quantised model as a pickle", "양자화한 모델 전체를 pickle로 저장한 것", "KoBERT",
           pt_of_skt(lambda model: quantised(BERTClassifier(model))), refused=_WHOLE),
    Source("KoBERT by transformers, `model.safetensors`", "transformers로 저장한 KoBERT, `model.safetensors`", "KoBERT",
           folder_of_transformers()),
    Source("KcBERT, `model.safetensors`, `vocab.txt`, 300 positions",
           "KcBERT, `model.safetensors`, `vocab.txt`, 위치 300개", "KcBERT", folder_of_transformers()),
    Source("the same, `pytorch_model.bin`", "같은 것, `pytorch_model.bin`", "KcBERT", folder_with_bin()),
    Source("the same, float16 safetensors", "같은 것, float16 safetensors", "KcBERT",
           folder_of_transformers(torch.float16), "float16"),
    Source("the same, bfloat16 safetensors", "같은 것, bfloat16 safetensors", "KcBERT",
           folder_of_transformers(torch.bfloat16), "bfloat16"),
    Source("klue/bert, safetensors in parts, `tokenizer.json`", "klue/bert, 여러 조각의 safetensors, `tokenizer.json`",
           "klue/bert", folder_of_transformers(max_shard_size=_SHARD)),
    Source("the same, `.bin` in parts", "같은 것, 여러 조각의 `.bin`", "klue/bert", bin_in_parts),
    Source("the same, the output folder of `Trainer`", "같은 것, `Trainer`의 출력 폴더", "klue/bert",
           output_of_trainer),
    Source("klue/roberta (RoBERTa with BERT's word pieces)", "klue/roberta(BERT 워드피스를 쓰는 RoBERTa)",
           "klue/roberta", folder_of_transformers()),
    Source("the same, Lightning's `.ckpt`", "같은 것, Lightning `.ckpt`", "klue/roberta", lightning),
    Source("RoBERTa with byte-level BPE", "바이트 단위 BPE를 쓰는 RoBERTa", "RoBERTa", folder_of_transformers()),
    Source("XLM-R, 250,002 tokens, SentencePiece", "XLM-R, 토큰 250,002개, SentencePiece", "XLM-R",
           folder_of_transformers()),
    Source("CamemBERT, `tokenizer.json`", "CamemBERT, `tokenizer.json`", "CamemBERT", folder_of_transformers()),
    Source("KcELECTRA, 54,343 tokens", "KcELECTRA, 토큰 54,343개", "KcELECTRA", folder_of_transformers()),
    Source("the same, dynamically quantised by torch, `.bin`", "같은 것, torch 동적 양자화, `.bin`", "KcELECTRA",
           folder_with_bin(lambda model: quantised(model).state_dict()), "quantised"),
    Source("KoELECTRA-v3, `pytorch_model.bin`", "KoELECTRA-v3, `pytorch_model.bin`", "KoELECTRA", folder_with_bin()),
    Source("KoELECTRA-small-v3 (256 wide, embeddings of 128)", "KoELECTRA-small-v3(너비 256, 임베딩 128)",
           "KoELECTRA-small", folder_of_transformers()),
    Source("DistilBERT multilingual, 119,547 tokens", "DistilBERT multilingual, 토큰 119,547개", "DistilBERT",
           folder_of_transformers()),
    Source("DistilKoBERT, 3 layers, monologg's vocabulary", "DistilKoBERT, 3층, monologg의 어휘", "DistilKoBERT",
           folder_of_transformers()),
    Source("KcELECTRA in ONNX, float", "KcELECTRA ONNX, float", "KcELECTRA, fast", onnx_export(_copied)),
    Source("the same, `onnx/model.onnx` with `model.onnx_data` behind links",
           "같은 것, 링크로 된 `onnx/model.onnx`와 `model.onnx_data`", "KcELECTRA, fast",
           onnx_export(_behind_links, "onnx/model.onnx")),
    Source("the same, float16", "같은 것, float16", "KcELECTRA, fast",
           onnx_export(_in_half_precision, "model_fp16.onnx"), "float16", float_tolerance=HALF_TOLERANCE),
    Source("the same, `model_O2.onnx` with fused operators", "같은 것, 연산을 합친 `model_O2.onnx`", "KcELECTRA, fast",
           onnx_export(_optimised, "model_O2.onnx")),
    Source("the same, `model_qint8_avx512_vnni.onnx`", "같은 것, `model_qint8_avx512_vnni.onnx`", "KcELECTRA, fast",
           onnx_export(_quantised_by_onnxruntime(QuantType.QInt8, per_channel=True), "model_qint8_avx512_vnni.onnx"),
           "file"),
    Source("the same, `onnx/model_quantized.onnx` (uint8)", "같은 것, `onnx/model_quantized.onnx`(uint8)",
           "KcELECTRA, fast", onnx_export(_quantised_by_onnxruntime(QuantType.QUInt8), "onnx/model_quantized.onnx"),
           "file"),
)  # fmt: skip


def reference_model(reference: str, model: Any) -> Any:
    """The float model in torch whose answers count: `model` with its weights as the file of the source has them."""
    if reference in {"float16", "bfloat16"}:
        return model.to(getattr(torch, reference)).float()
    if reference.startswith("quantised"):
        return with_rounded_weights(model, quantised(model, per_channel="row" in reference))
    return model


def with_rounded_weights(model: Any, rounded: Any) -> Any:
    """`model` in float with the int8 weights of its quantised twin."""
    layers = dict(model.named_modules())
    with torch.no_grad():
        for name, layer in rounded.named_modules():
            if callable(getattr(layer, "weight", None)):
                layers[name].weight.copy_(layer.weight().dequantize())
    return model
