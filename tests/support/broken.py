"""Sources that are damaged, foreign or of another kind, and the sentence that each of them must be refused with.

Each breaker changes a good folder (`tests.support.families.write_family_folder`) in one way.
"""

import argparse
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.support.checkpoints import save
from tests.support.pickles import dumps

Breaker = Callable[[Path], None]
WEIGHTS, CONFIG = "model.safetensors", "config.json"
BROKEN: dict[str, tuple[Breaker, str]] = {}


def _add(name: str, breaker: Breaker, said: str) -> None:
    BROKEN[name] = breaker, said


def _write(name: str, content: bytes, *, instead_of: str | None = None) -> Breaker:
    def breaker(folder: Path) -> None:
        if instead_of:
            (folder / instead_of).unlink()
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    return breaker


def _cut(name: str, kept: int) -> Breaker:
    return lambda folder: _rewrite(folder / name, lambda raw: raw[:kept])


def _rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def _config(**fields: Any) -> Breaker:
    def breaker(folder: Path) -> None:
        path = folder / CONFIG
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return breaker


def _tensors(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Breaker:
    def breaker(folder: Path) -> None:
        changed = change(load_file(folder / WEIGHTS))
        save_file({name: tensor.contiguous() for name, tensor in changed.items()}, folder / WEIGHTS)

    return breaker


def _with_nan(state: dict[str, Any], name: str) -> dict[str, Any]:
    state[name][-1, -1] = float("nan")
    return state


def _pickled(make: Callable[[dict[str, Any]], Any], name: str = "pytorch_model.bin") -> Breaker:
    def breaker(folder: Path) -> None:
        state = load_file(folder / WEIGHTS)
        (folder / WEIGHTS).unlink()
        save(make(state), folder / name)

    return breaker


def _both(*breakers: Breaker) -> Breaker:
    def breaker(folder: Path) -> None:
        for each in breakers:
            each(folder)

    return breaker


def _bare(*kept: str) -> Breaker:
    def breaker(folder: Path) -> None:
        for path in folder.iterdir():
            if path.name not in kept:
                path.unlink()

    return breaker


class RunsACommand:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


def _jit(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with zipfile.ZipFile(folder / "model.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("model/code/__torch__.py", b"class M(Module): pass\n" * 50)
        archive.writestr("model/constants.pkl", b"\x80\x02).")


def _compressed(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with zipfile.ZipFile(folder / "model.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}q\x00." + bytes(5000))


def _sharded(change: Callable[[dict[str, str]], dict[str, str]], *, without: str | None = None) -> Breaker:
    def breaker(folder: Path) -> None:
        state = load_file(folder / WEIGHTS)
        (folder / WEIGHTS).unlink()
        names = sorted(state)
        halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
        for file, keys in halves.items():
            save_file({key: state[key] for key in keys}, folder / file)
        weight_map = {key: file for file, keys in halves.items() for key in keys}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": change(weight_map)}))
        if without:
            (folder / without).unlink()

    return breaker


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
HTML = b"<!DOCTYPE html><html>404</html>"
NOT_SAFETENSORS = r"model\.safetensors .* is cut short or not a safetensors file"
NOT_TORCH = r"pytorch_model\.bin .* is cut short or not a PyTorch checkpoint"
NOT_CONFIG = r"config\.json is not the config of a model"

# The weights.
for kept in (0, 7, 500, 20_000, -1):
    _add(f"safetensors cut at {kept}", _cut(WEIGHTS, kept), NOT_SAFETENSORS)
_add("safetensors that are a web page", _write(WEIGHTS, HTML), NOT_SAFETENSORS)
_add("safetensors that are a Git LFS pointer", _write(WEIGHTS, LFS), r"Git LFS pointer.*git lfs pull")
_add("safetensors of zeros", _write(WEIGHTS, bytes(5000)), NOT_SAFETENSORS)
_add("safetensors with a header too long", _write(WEIGHTS, b"\xff" * 64), NOT_SAFETENSORS)
_add("safetensors without tensors", _tensors(lambda _: {}), "is not a BERT classifier")
for name, content in {
    "a web page": HTML,
    "zeros": bytes(4096),
    "nothing": b"",
    "a zip that ends": b"PK\x03\x04",
}.items():
    _add(f"a bin that is {name}", _write("pytorch_model.bin", content, instead_of=WEIGHTS), NOT_TORCH)
_add("a bin that is a pointer", _write("pytorch_model.bin", LFS, instead_of=WEIGHTS), "git lfs pull")
_add("a bin cut short", _both(_pickled(dict), _cut("pytorch_model.bin", -300)), NOT_TORCH)
_add("a bin that is a list", _pickled(list), "holds no state dict")
_add("a bin that is a number", _pickled(lambda _: 3), "holds no state dict")
_add("a bin of text", _pickled(lambda _: {"a.b": "c"}), "is not a BERT classifier")
_add(
    "a bin that runs a command",
    _pickled(lambda state: {**state, "x": RunsACommand()}),
    "asks for .*nothing in it was run",
)
_add("a TorchScript program", _jit, "TorchScript program")
_add("a compressed checkpoint", _compressed, "PyTorch never compresses")
_add("a tensor of text", _pickled(lambda state: {**state, "classifier.out_proj.bias": "a"}), "is not a tensor")
_add(
    "not a number", _tensors(lambda s: {**s, "classifier.out_proj.bias": torch.full((3,), float("nan"))}), "not finite"
)
_add(
    "a head of another name",
    _tensors(lambda s: {k.replace("classifier", "fc"): v for k, v in s.items()}),
    "has no class",
)
_add("no head", _tensors(lambda s: {k: v for k, v in s.items() if k.startswith("electra")}), r"it has nothing outside")
_add("a key too many", _tensors(lambda s: {**s, "electra.extra": torch.zeros(2)}), r"1 unexpected: electra\.extra")
_add("no layer 0", _tensors(lambda s: {k: v for k, v in s.items() if ".layer.0." not in k}), "missing: electra")
_add("positions of another width", _tensors(
    lambda s: {**s, "electra.embeddings.position_embeddings.weight": torch.zeros(512, 7)}), "instead of")  # fmt: skip
_add("an encoder without its prefix", _tensors(
    lambda s: {k.removeprefix("electra."): v for k, v in s.items()}), "an encoder without a classifier")  # fmt: skip
_add(
    "two checkpoints",
    _both(_write("a.pt", b""), _write("b.pt", b""), lambda f: (f / WEIGHTS).unlink()),
    "several check",
)
_add("a tensor that is a scalar", _tensors(
    lambda s: {**s, "electra.embeddings.word_embeddings.weight": torch.zeros(())}), "are not matrices")  # fmt: skip

# Parts.
_add("an index without parts", _both(
    _write("model.safetensors.index.json", b'{"weight_map": {}}', instead_of=WEIGHTS)), "none of the parts")  # fmt: skip
_add("an index that is no JSON", _both(
    _sharded(dict), _write("model.safetensors.index.json", HTML)), "is not JSON")  # fmt: skip
_add("an index of another form", _both(
    _sharded(dict), _write("model.safetensors.index.json", b"{}")), "has no weight_map")  # fmt: skip
_add("a part that is missing", _sharded(dict, without="model-00002-of-00002.safetensors"), "lists .* not beside it")
_add("a part that is elsewhere", _sharded(lambda m: m | {"x": "../../etc/passwd"}), "lists .* not beside it")
_add(
    "a key in no part",
    _sharded(lambda m: m | {"x.y": "model-00001-of-00002.safetensors"}),
    "lists x.y, which is in none",
)
_add("parts without their index", _sharded(dict, without="model.safetensors.index.json"), "one part of a checkpoint")

# The config.
_add("a config that is no JSON", _write(CONFIG, HTML), NOT_CONFIG)
_add("a config that is empty", _write(CONFIG, b""), NOT_CONFIG)
_add("a config that is a list", _write(CONFIG, b"[]"), NOT_CONFIG)
_add("a config of wrong types", _config(num_attention_heads="four"), NOT_CONFIG)
_add("a config in Latin-1", _write(CONFIG, b'{"model_type": "\xe9"}'), NOT_CONFIG)
_add("a config of another family", _config(model_type="roberta", architectures=None), "do not belong together")
_add("no heads that fit", _config(num_attention_heads=7), "cannot be split among the 7 heads")
_add("an unknown activation", _config(hidden_act="silu"), "uses the activation silu")
_add("relative positions", _config(position_embedding_type="relative_key"), "uses relative_key positions")
_add(
    "quantised by another library", _config(quantization_config={"quant_method": "bitsandbytes"}), "quantised with bits"
)
_add("token classification", _config(architectures=["ElectraForTokenClassification"]), "labels words, not whole texts")
_add("a bare encoder", _config(architectures=["ElectraModel"]), "an encoder without a classifier")
_add("a language model", _config(architectures=["GPT2LMHeadModel"], model_type="gpt2"), "writes text")
_add("a vision model", _config(architectures=["ViTForImageClassification"], model_type="vit"), "does not label texts")
_add("another family than the weights", _config(architectures=["BertForSequenceClassification"], model_type="bert"),
     "has the tensors of an ELECTRA, and its config.json says bert")  # fmt: skip
_add("a class of another family", _config(architectures=["RobertaForSequenceClassification"]), "is a RobertaFor")
_add("one layer of the head missing", _tensors(
    lambda s: {k: v for k, v in s.items() if "classifier.dense" not in k}), "2 missing: classifier.dense")  # fmt: skip
_add("a rare word that is not a number", _tensors(lambda s: _with_nan(s, "electra.embeddings.word_embeddings.weight")),
     "word_embeddings.weight holds values that are not finite")  # fmt: skip
_add("a kind of problem that nobody knows", _config(problem_type="ranking"), "problem_type 'ranking'")
_add("a number that is called several", _config(problem_type="regression"), "answers numbers")
_add("a classifier of inferences", _config(id2label={"0": "entailment", "1": "neutral", "2": "contradiction"}),
     "compares two texts")  # fmt: skip
_add("a CrossEncoder", _config(sentence_transformers={"version": "4.0.1"}), "compares two texts .a CrossEncoder")
_add("labels in two orders", _config(label2id={"clean": 1, "curse": 0, "insult": 2}), "and its label2id curse, clean")
_add("a file of labels in another order", _write("labels.txt", b"curse\nclean\ninsult\n"), "numbers the classes curse,")

# The tokenizer.
_add("words of a tokenizer in code", _write("tokenizer_config.json", b'{"tokenizer_class": "BertJapaneseTokenizer"}'),
     r"another kind \(BertJapaneseTokenizer\)")  # fmt: skip
_add("words that are not looked for in words", _write(
    "tokenizer_config.json", b'{"do_lower_case": false, "do_basic_tokenize": false}'), "do_basic_tokenize")  # fmt: skip
_add("whole syllables, and a config that takes them apart", _write("tokenizer_config.json", b"{}"),
     "with Hangul taken apart; if the model was trained without")  # fmt: skip
_add("no tokenizer", lambda f: (f / "vocab.txt").unlink(), "has no tokenizer, and its vocabulary")
_add("a tokenizer.json that is no JSON", _write("tokenizer.json", HTML), "not a file of the tokenizers library")
_add("a tokenizer.json of nothing", _write("tokenizer.json", b"{}"), "not a file of the tokenizers library")
_add("a vocab.txt of another kind", _write("vocab.txt", b"a\nb\n"), r"has no \[UNK\]")
_add("a vocab.txt that is not text", _write("vocab.txt", b"\xff\xfe\x00\x01"), "is not UTF-8")
_add("a vocab.txt that is too small", _write("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n"), "do not belong together")
_add(
    "a SentencePiece model that is none", _write("spiece.model", HTML, instead_of="vocab.txt"), "not a .*SentencePiece"
)
_add("a tokenizer_config that is no JSON", _write("tokenizer_config.json", HTML), "is not JSON")

# Files of other kinds.
_add("an empty folder", _bare(), "it is empty")
_add("a README alone", _both(_bare(), _write("README.md", b"#")), "it holds README.md")
for name, said in {
    "adapter_model.safetensors": "one half of a LoRA adapter", "tf_model.h5": "TensorFlow's weights only",
    "flax_model.msgpack": "Flax's weights only", "model-q4.gguf": r"llama\.cpp", "model.zip": "an archive: unpack it",
    "model.tar.gz": "an archive: unpack it", "model.keras": "a model of Keras", "saved_model.pb": "a model of TensorFlow",
    "model.joblib": "a pickle, which would run code", "openvino_model.xml": "an OpenVINO model",
}.items():  # fmt: skip
    _add(f"{name} alone", _both(_bare(CONFIG), _write(name, b"x")), said)
_add("a SetFit model", _write("model_head.pkl", dumps({"a": 1})), "a SetFit model.*kobert model train TABLE --base")
_add(
    "a model of sentence-transformers",
    _both(_config(architectures=["ElectraModel"]), _write("modules.json", b"[]"), _write("head.joblib", b"x")),
    "an encoder without a classifier: fine-tune it",
)

# The labels.
_add("labels that are code", _write("category.pkl", dumps(os.getcwd)), "asks for posix.getcwd")
_add("labels that are no pickle", _write("category.pkl", HTML), "category.pkl")

# An export.
_add(
    "an ONNX file that is none", _write("onnx/model.onnx", HTML, instead_of=WEIGHTS), r"model\.onnx is cut short or not"
)
_add("an empty ONNX file", _write("model.onnx", b"", instead_of=WEIGHTS), r"model\.onnx is (cut short|not a text)")


def lightning_checkpoint(state: dict[str, Any]) -> dict[str, Any]:
    """A `.ckpt` as Lightning writes it, with what its users keep in `save_hyperparameters`."""
    return {
        "epoch": 3, "global_step": 100, "pytorch-lightning_version": "2.4.0",
        "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
        "hyper_parameters": {"args": argparse.Namespace(lr=5e-5, out=Path("out")), "out": Path("/tmp/x")},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.9), "dirpath": "x"}},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 1e-5}]}],
        "lr_schedulers": [],
    }  # fmt: skip
