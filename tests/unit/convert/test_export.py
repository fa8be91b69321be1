"""Families whose graph is not written here: transformers' own modules, exported, answer as they do."""

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import transformers

from bundles.architecture import DIRECT, EXPORTED
from bundles.own_process import OnReport
from bundles.record import read_record
from bundles.sources import conversion, resolver, source_resolver
from bundles.sources.conversion import ConversionRequest
from convert.pipeline import Conversion
from convert.samples import SAMPLE_TEXTS
from convert.verify import run_graph, token_rows
from shared.errors import ConverterMissingError, ModelSourceError
from shared.settings import Settings
from tests.support.adapters import write_adapter_folder
from tests.support.checkpoints import write_sentencepiece
from tests.support.exported import EXPORTED_TYPES, exported_classifier, write_exported_folder
from tests.support.families import NAMES
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]

# A decoder, one that reads neighbours alone in some layers, one with relative positions, one with a decoder beside it.
SERVED = ("deberta-v2", "modernbert", "llama", "bart")


class FloatKept(Conversion):
    """A conversion that keeps what the float graph answers."""

    logits: np.ndarray

    def _compare(self, rows: Any, float_graph: Path, *others: Any) -> Any:
        FloatKept.logits = run_graph(float_graph, rows)
        return super()._compare(rows, float_graph, *others)


@pytest.fixture(autouse=True)
def converted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def here(request: ConversionRequest, on_report: OnReport) -> None:
        FloatKept(request, on_report).run()

    monkeypatch.setattr(source_resolver, "convert", here)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def resolve(folder: Path, cache: Path, **settings: Any) -> Any:
    return resolver.resolve(Settings(model=str(folder), cache_dir=cache, **settings), lambda _: None)


class Served(NamedTuple):
    """A tiny model of a family, the bundle that it became, and what its float graph answered on the way."""

    model: Any
    bundle: Any
    logits: np.ndarray


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Served]:
    """Converts the model of a family, once for all tests: to export one takes seconds."""

    @functools.cache
    def served(model_type: str) -> Served:
        folder = tmp_path_factory.mktemp(model_type)
        model = write_exported_folder(folder / "model", model_type)
        bundle = resolve(folder / "model", folder / "cache")
        return Served(model, bundle, FloatKept.logits)

    return served


def test_every_family_that_is_exported_is_tried_here() -> None:
    assert set(EXPORTED_TYPES) == set(EXPORTED)
    assert not set(EXPORTED) & set(DIRECT)


@pytest.mark.parametrize(
    "model_type", [name if name in SERVED else pytest.param(name, marks=pytest.mark.slow) for name in EXPORTED_TYPES]
)
def test_a_family_is_served_as_transformers_answers(served: Callable[[str], Served], model_type: str) -> None:
    model, bundle, logits = served(model_type)

    assert (bundle.config.labels, bundle.config.max_length) == (list(NAMES), 512)
    rows = token_rows(BundleTokenizer(bundle, 8)._tokenizer, 512, SAMPLE_TEXTS)
    with torch.no_grad():
        expected = np.concatenate([model(input_ids=torch.tensor([row])).logits.numpy() for row in rows])
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * max(1, np.abs(expected).max()))
    in_int8 = OnnxEngine(bundle, 1).run(rows)
    spread = float(expected.std())
    assert float(np.abs(in_int8 - expected).mean()) < 0.2 * spread
    record = read_record(bundle.path)
    assert record is not None
    assert f"{type(model).__name__}, exported by transformers" in record.model


@pytest.mark.parametrize("model_type", SERVED)
def test_a_text_answers_the_same_alone_and_padded(served: Callable[[str], Served], model_type: str) -> None:
    bundle = served(model_type).bundle
    rows = [windows[0] for windows in BundleTokenizer(bundle, 8).encode(["짧다", *SAMPLE_TEXTS[:5]])]
    engine = OnnxEngine(bundle, 1)
    alone = np.concatenate([engine.run([row]) for row in rows])
    np.testing.assert_allclose(engine.run(rows), alone, rtol=0, atol=1e-4)


def test_an_adapter_of_a_decoder_is_merged_and_exported(tmp_path: Path) -> None:
    model = exported_classifier("llama")
    expected = write_adapter_folder(tmp_path, model, ("q_proj", "v_proj"))
    write_exported_folder(tmp_path / "other", "llama")
    shutil.copy(tmp_path / "other/tokenizer.json", tmp_path / "adapter")
    bundle = resolve(tmp_path / "adapter", tmp_path / "cache")
    model.load_state_dict(expected)
    rows = [windows[0] for windows in BundleTokenizer(bundle, 8).encode(SAMPLE_TEXTS[:5])]
    with torch.no_grad():
        wanted = np.concatenate([model(input_ids=torch.tensor([row])).logits.numpy() for row in rows])
    assert bundle.config.labels == list(NAMES)
    assert float(np.abs(OnnxEngine(bundle, 1).run(rows) - wanted).mean()) < 0.2 * float(wanted.std())


def test_a_tokenizer_that_only_transformers_reads_is_made_by_it(tmp_path: Path) -> None:
    """As DeBERTa-v3 comes: `spm.model` alone, which is no KoBERT's."""
    folder = tmp_path / "model"
    folder.mkdir()
    write_sentencepiece(folder / "spm.model")
    size = transformers.DebertaV2Tokenizer.from_pretrained(folder).backend_tokenizer.get_vocab_size()
    config = transformers.DebertaV2Config(
        vocab_size=size, hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        id2label=dict(enumerate(NAMES)), label2id={name: at for at, name in enumerate(NAMES)},
    )  # fmt: skip
    transformers.DebertaV2ForSequenceClassification(config).save_pretrained(folder)
    bundle = resolve(folder, tmp_path / "cache")
    own = transformers.AutoTokenizer.from_pretrained(folder)
    for text in SAMPLE_TEXTS[:10]:
        assert BundleTokenizer(bundle, 8)._tokenizer.encode(text).ids == own(text)["input_ids"]
    record = read_record(bundle.path)
    assert record is not None
    assert record.tokenizer == "spm.model, read by transformers"


def change(name: str, **fields: Any) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return changed


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[UNK]\n")
    change("tokenizer_config.json", auto_map={"AutoTokenizer": ["x.X", None]})(folder)


@pytest.mark.parametrize(
    ("breaker", "said"),
    [
        (change("config.json", auto_map={"AutoModelForSequenceClassification": "m.M"}), "code of its own.*never run"),
        (without_tokenizer, "code of its own.*never run"),
        (change("config.json", hidden_size=32), "cannot be read as DebertaV2|of the wrong shape"),
        (change("config.json", num_hidden_layers=5), "does not fit a DebertaV2.*missing: "),
        (change("config.json", num_hidden_layers=1), "does not fit a DebertaV2.*unexpected: "),
        (change("config.json", num_attention_heads=7), "cannot be read as DebertaV2ForSequenceClassification"),
        (change("config.json", hidden_act="nothing"), "cannot be read as DebertaV2ForSequenceClassification"),
        (change("config.json", quantization_config={"quant_method": "gptq"}), "was quantised with gptq"),
        (change("config.json", architectures=["DebertaV2ForTokenClassification"]), "labels words, not whole texts"),
        (change("config.json", architectures=["DebertaV2ForMaskedLM"]), "an encoder without a classifier"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_one_true_sentence(
    tmp_path: Path, breaker: Callable[[Path], None], said: str
) -> None:
    write_exported_folder(tmp_path / "model", "deberta-v2")
    breaker(tmp_path / "model")
    with pytest.raises(ModelSourceError, match=said) as refusal:
        resolve(tmp_path / "model", tmp_path / "cache")
    assert "\n" not in refusal.value.message


def test_without_transformers_the_user_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_exported_folder(tmp_path / "model", "modernbert")
    monkeypatch.setattr(conversion, "_NEEDED_TO_EXPORT", ("torch", "a_library_that_is_not_installed"))
    monkeypatch.setattr(source_resolver, "convert", conversion.convert)
    with pytest.raises(
        ConverterMissingError, match=r"needs a_library_that_is_not_installed: .*\[convert-any\]"
    ) as refusal:
        resolve(tmp_path / "model", tmp_path / "cache")
    assert refusal.value.extra == "convert-any"
