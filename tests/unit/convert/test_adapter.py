"""A LoRA adapter and its base together answer as the model that they are; others are refused in a sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from bundles.format import Bundle
from bundles.own_process import Notice, OnReport
from bundles.sources import resolver, source_resolver
from bundles.sources.conversion import ConversionRequest
from convert.adapter import merge_adapter
from convert.model_source import read_weights
from convert.pipeline import Conversion
from shared.errors import ModelSourceError
from shared.settings import Settings
from tests.support.adapters import write_adapter_folder
from tests.support.families import LABELS, NAMES, WORDS, family_classifier
from tests.support.pickles import dumps
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]

ATTENTION = {
    "BERT": ("query", "value"), "RoBERTa": ("query", "key", "value"), "ELECTRA, small": ("query", "output.dense"),
    "DistilBERT": ("q_lin", "v_lin"),
}  # fmt: skip
ADAPTER, CONFIG = "adapter/adapter_model.safetensors", "adapter/adapter_config.json"
TEXTS = ["배송이 빠르고 좋습니다", "결말이 너무 허무해서 별점 두 개", "비가 와서 길이 많이 막히네요"]


@pytest.fixture(autouse=True)
def converted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def here(request: ConversionRequest, on_report: OnReport) -> None:
        Conversion(request, on_report).run()

    monkeypatch.setattr(source_resolver, "convert", here)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def resolve(folder: Path) -> Bundle:
    settings = Settings(model=str(folder / "adapter"), cache_dir=folder / "cache")
    return resolver.resolve(settings, lambda _: None)


def merged(folder: Path) -> dict[str, torch.Tensor]:
    (folder / "scratch").mkdir()
    files = {"adapter": folder / ADAPTER, "adapter_config": folder / CONFIG,
             "weights": folder / "base/model.safetensors", "config": folder / "base/config.json"}  # fmt: skip
    return dict(load_file(merge_adapter(files, folder / "scratch", "x", read_weights)["weights"]))


@pytest.mark.parametrize("name", ATTENTION)
@pytest.mark.parametrize("bare", [False, True])
def test_an_adapter_is_served_as_the_two_together_answer(tmp_path: Path, name: str, bare: bool) -> None:
    model = family_classifier(name, vocab_size=len(WORDS))
    expected = write_adapter_folder(tmp_path, model, ATTENTION[name], bare=bare)

    bundle = resolve(tmp_path)

    model.load_state_dict(expected)
    rows = [windows[0] for windows in BundleTokenizer(bundle, 8).encode(TEXTS)]
    with torch.no_grad():
        wanted = np.concatenate([model(input_ids=torch.tensor([row])).logits.numpy() for row in rows])
    assert bundle.config.labels == list(NAMES)
    np.testing.assert_allclose(OnnxEngine(bundle, 1).run(rows), wanted, rtol=0, atol=0.4)


@pytest.mark.parametrize("fields", [{}, {"use_rslora": True}, {"r": 2}, {"lora_alpha": 32}])
def test_every_merged_weight_is_what_the_paper_says(tmp_path: Path, fields: dict[str, Any]) -> None:
    expected = write_adapter_folder(tmp_path, family_classifier("RoBERTa"), ("query", "output.dense"), **fields)
    found = merged(tmp_path)
    assert set(found) == {name for name in expected if "position_ids" not in name}
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-5, atol=1e-5)


def test_a_layer_may_have_a_rank_and_a_scale_of_its_own(tmp_path: Path) -> None:
    write_adapter_folder(tmp_path, family_classifier("BERT"), ("query",))
    plain = merged(tmp_path)
    shutil.rmtree(tmp_path / "scratch")
    change(tmp_path / CONFIG, r=16, rank_pattern={"query": 4}, alpha_pattern={r"layer\.1\.attention\.self\.query": 0})
    found = merged(tmp_path)
    base = load_file(tmp_path / "base/model.safetensors")
    first, second = (f"bert.encoder.layer.{index}.attention.self.query.weight" for index in (0, 1))
    torch.testing.assert_close(found[first], plain[first])
    torch.testing.assert_close(found[second], base[second])


def test_embeddings_and_biases_are_merged_too(tmp_path: Path) -> None:
    write_adapter_folder(tmp_path, family_classifier("BERT"), ("query",))
    tensors = load_file(tmp_path / ADAPTER)
    base = load_file(tmp_path / "base/model.safetensors")
    rows, width = base["bert.embeddings.word_embeddings.weight"].shape
    down, up, bias = torch.randn(4, rows), torch.randn(width, 4), torch.randn(width)
    prefix = "base_model.model.bert"
    tensors |= {
        f"{prefix}.embeddings.word_embeddings.lora_embedding_A": down,
        f"{prefix}.embeddings.word_embeddings.lora_embedding_B": up,
        f"{prefix}.encoder.layer.0.attention.self.query.base_layer.bias": bias,
    }
    save_file(tensors, tmp_path / ADAPTER)
    found = merged(tmp_path)
    torch.testing.assert_close(
        found["bert.embeddings.word_embeddings.weight"],
        base["bert.embeddings.word_embeddings.weight"] + 2 * (up @ down).T,
    )
    torch.testing.assert_close(found["bert.encoder.layer.0.attention.self.query.bias"], bias)


def test_weights_of_gpt2_are_changed_in_their_own_layout(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"vocab_size": len(WORDS), "n_embd": 64, "n_layer": 1, "n_head": 2, "num_labels": LABELS}
    write_adapter_folder(tmp_path, transformers.GPT2ForSequenceClassification(transformers.GPT2Config(**fields)), ())
    down, up = torch.randn(4, 64), torch.randn(64, 4)  # of a square layer, where nothing but the layout tells
    layer = "transformer.h.0.attn.c_proj"
    save_file(
        {f"base_model.model.{layer}.lora_A.weight": down, f"base_model.model.{layer}.lora_B.weight": up,
         "base_model.model.score.weight": torch.randn(LABELS, 64)}, tmp_path / ADAPTER)  # fmt: skip
    base = load_file(tmp_path / "base/model.safetensors")
    torch.testing.assert_close(merged(tmp_path)[f"{layer}.weight"], base[f"{layer}.weight"] + 2 * (up @ down).T)


def test_labels_of_the_base_are_never_those_of_the_adapter(tmp_path: Path) -> None:
    write_adapter_folder(tmp_path, family_classifier("BERT", vocab_size=len(WORDS)), ("query",))
    (tmp_path / "adapter/labels.json").unlink()
    change(tmp_path / "base/config.json", id2label={"0": "x", "1": "y", "2": "z"})
    with pytest.raises(ModelSourceError, match="does not name its 3 classes: set MODEL_LABELS"):
        resolve(tmp_path)
    (tmp_path / "adapter/config.json").write_text(json.dumps({"id2label": {"0": "a", "1": "b", "2": "c"}}))
    assert resolve(tmp_path).config.labels == ["a", "b", "c"]


def test_a_base_is_found_from_where_the_adapter_lies(tmp_path: Path) -> None:
    write_adapter_folder(
        tmp_path, family_classifier("BERT", vocab_size=len(WORDS)), ("query",), base_model_name_or_path="../base"
    )
    assert resolve(tmp_path).config.labels == list(NAMES)


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def config(**fields: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder / CONFIG, **fields)


def tensors(change_them: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Callable[[Path], None]:
    return lambda folder: save_file(change_them(load_file(folder / ADAPTER)), folder / ADAPTER)


def cut(folder: Path) -> None:
    (folder / ADAPTER).write_bytes((folder / ADAPTER).read_bytes()[:900])


def written(name: str, content: bytes) -> Callable[[Path], None]:
    def breaker(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return breaker


def pickled(folder: Path) -> None:
    (folder / ADAPTER).unlink()
    (folder / "adapter/adapter_model.bin").write_bytes(dumps(print))


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "DoRA": (config(use_dora=True), "an adapter with DoRA, which is not read: merge it"),
    "IA3": (config(peft_type="IA3"), "an adapter with IA3, which is not read.*merge_and_unload"),
    "prompt tuning": (config(peft_type="PROMPT_TUNING"), "an adapter with PROMPT_TUNING"),
    "PiSSA": (config(init_lora_weights="pissa_niter_16"), "weights begun by pissa_niter_16"),
    "tokens of its own": (config(trainable_token_indices=[3]), "tokens that it trained by themselves"),
    "a language model": (config(task_type="CAUSAL_LM"), r"for CAUSAL_LM, not for text classification \(SEQ_CLS\)"),
    "no name of a base": (config(base_model_name_or_path=None), "does not name the base"),
    "a base that is gone": (
        config(base_model_name_or_path="/content/drive/base"),
        "its base /content/drive/base cannot be had: there is no such folder here.*adapter_config.json, or merge it",
    ),
    "a base that was not fetched": (config(base_model_name_or_path="me/base"), "base me/base cannot be had: HF_HUB_"),
    "a rank that is not so": (config(r=16), "has rank 4, and its config says 16"),
    "a config that is no JSON": (written(CONFIG, b"<html>"), "adapter_config.json is not the config of an adapter"),
    "a config of wrong types": (config(r="four"), "adapter_config.json is not the config of an adapter"),
    "a config that is a list": (written(CONFIG, b"[]"), "adapter_config.json is not the config of an adapter"),
    "weights cut short": (cut, "adapter_model.safetensors .* is cut short"),
    "weights that are a pointer": (written(ADAPTER, b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "weights that are code": (pickled, "cut short or not a PyTorch|asks for"),
    "half a layer": (
        tensors(lambda t: {k: v for k, v in t.items() if "layer.0.attention.self.query.lora_B" not in k}),
        "has one half of the LoRA layer bert.encoder.layer.0.attention.self.query only",
    ),
    "no layers": (tensors(lambda t: {k: v for k, v in t.items() if "lora" not in k}), "without a LoRA layer"),
    "no classifier": (tensors(lambda t: {k: v for k, v in t.items() if "lora" in k}), "has no classifier.weight"),
    "a base with fewer layers": (
        tensors(lambda t: {k.replace("layer.1.", "layer.7."): v for k, v in t.items()}),
        "does not belong to the base .*: it changes bert.encoder.layer.7.attention.self.query, which it does not have",
    ),
    "a base of another width": (
        tensors(lambda t: {k: v[:, :32].contiguous() if "lora_A" in k else v for k, v in t.items()}),
        r"does not belong to the base .* \(64, 32\), which is \(64, 64\) there",
    ),
    "a base of another task": (lambda f: change(f / "base/config.json", model_type="vit", architectures=["ViTModel"]),
                               "is a vit.*only Bert"),
    "a base quantised elsewhere": (
        lambda f: change(f / "base/config.json", quantization_config={"quant_method": "b"}), "was quantised with b"),
    "a base of code": (lambda f: change(f / "base/config.json", model_type="llama", auto_map={"AutoModel": "m.M"}),
                       "brings code of its own"),
    "a base without a config": (lambda f: (f / "base/config.json").unlink(), "has no weights of PyTorch with a config"),
    "a base without weights": (lambda f: (f / "base/model.safetensors").unlink(), "has no model"),
    "not a number": (
        tensors(lambda t: {k: v * float("nan") for k, v in t.items()}), "not finite"),
    "weights without their config": (lambda f: (f / CONFIG).unlink(), "one half of a LoRA adapter"),
    "a config without weights": (lambda f: (f / ADAPTER).unlink(), "one half of a LoRA adapter"),
}  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    model = family_classifier("BERT", vocab_size=len(WORDS))
    write_adapter_folder(folder, model, ("query",), base_model_name_or_path="../base")
    return folder


@pytest.mark.parametrize("name", BROKEN)
def test_an_adapter_that_cannot_be_merged_is_one_true_sentence(good: Path, tmp_path: Path, name: str) -> None:
    breaker, said = BROKEN[name]
    folder = tmp_path / "it"
    shutil.copytree(good, folder)
    breaker(folder)
    with pytest.raises(ModelSourceError, match=said) as refusal:
        resolve(folder)
    assert "\n" not in refusal.value.message


def test_what_is_merged_onto_what_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_adapter_folder(
        tmp_path, family_classifier("BERT"), ("query",), base_model_name_or_path="me/base", revision="v1"
    )
    notices: list[str] = []
    settings = Settings(model=str(tmp_path / "adapter"), cache_dir=tmp_path / "cache")
    with pytest.raises(ModelSourceError):
        resolver.resolve(settings, lambda said: notices.append(said.message) if isinstance(said, Notice) else None)
    assert notices == [f"{tmp_path / 'adapter'} is a LoRA adapter; it is merged onto its base me/base@v1"]
