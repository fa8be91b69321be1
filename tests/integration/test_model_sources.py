"""MODEL as its users set it: files and folders become bundles, or are refused.

Two are converted in a process of their own, as all are outside of tests; `test_conversion_cache.py` has more of these.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")
import numpy as np
import torch

from bundles.format import Bundle
from bundles.own_process import Progress
from bundles.record import read_record
from bundles.sources.resolver import resolve
from convert.sentencepiece_tokenizer import own_ids
from tests.support.adapters import write_adapter_folder
from tests.support.checkpoints import LABELS, SENTENCES, VARIANTS, bert_classifier, save
from tests.support.command import run_command
from tests.support.converting import convert_here
from tests.support.exported import write_exported_folder
from tests.support.families import WORDS, family_classifier, write_family_folder
from tests.support.pickles import gluonnlp_vocabulary
from tests.support.resolved import Reports, settings_for
from tests.support.sources import write_legacy_folder, write_transformers_folder
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer

pytestmark = [pytest.mark.integration, pytest.mark.training]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def converted_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.node.name.endswith("in_a_process_of_its_own"):
        convert_here(monkeypatch)


def logits_of(bundle: Bundle) -> np.ndarray:
    rows = [windows[0] for windows in BundleTokenizer(bundle, 8).encode(SENTENCES)]
    return OnnxEngine(bundle, 1).run(rows)


def logits_of_torch(model: Any, bundle: Bundle) -> np.ndarray:
    rows = [windows[0] for windows in BundleTokenizer(bundle, 8).encode(SENTENCES)]
    with torch.no_grad():
        return np.concatenate([model(input_ids=torch.tensor([row])).logits.numpy() for row in rows])


@pytest.mark.parametrize("variant", ["a state dict", "from DataParallel", "dynamically quantised"])
def test_a_legacy_folder_becomes_a_bundle_that_answers_as_its_model_did(tmp_path: Path, variant: str) -> None:
    model = bert_classifier()
    folder = write_legacy_folder(tmp_path / "legacy", VARIANTS[variant](model))
    reports = Reports()

    bundle = resolve(settings_for(folder, tmp_path / "cache"), reports)

    assert bundle.config.labels == list(LABELS)
    assert (bundle.config.clean_label, bundle.config.max_length, bundle.config.pad_token_id) == ("clean", 64, 1)
    assert [report.fraction for report in reports if isinstance(report, Progress)][-1] == 1.0
    expected = logits_of_torch(model, bundle)
    assert (logits_of(bundle).argmax(axis=1) == expected.argmax(axis=1)).all()
    np.testing.assert_allclose(logits_of(bundle), expected, rtol=0, atol=0.1)


def test_a_checkpoint_by_its_path_takes_the_files_beside_it(tmp_path: Path) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    (folder / "textClassifierModel.pt").rename(folder / "my_best.pt")
    save({"other": 1}, folder / "older.pt")

    bundle = resolve(settings_for(folder / "my_best.pt", tmp_path / "cache"), Reports())

    assert bundle.config.name == "my_best"
    assert bundle.config.labels == list(LABELS)


@pytest.mark.parametrize("safetensors", [True, False])
def test_a_transformers_folder_brings_its_labels_and_sizes(tmp_path: Path, safetensors: bool) -> None:
    folder = write_transformers_folder(tmp_path / "checkpoint")
    if not safetensors:
        save(bert_classifier().state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()

    bundle = resolve(settings_for(folder, tmp_path / "cache"), Reports())

    assert bundle.config.labels == list(LABELS)
    assert bundle.config.max_length == 512
    np.testing.assert_allclose(logits_of(bundle), logits_of_torch(bert_classifier(), bundle), rtol=0, atol=0.1)


@pytest.mark.parametrize("name", ["ELECTRA, small", "RoBERTa", "DistilBERT"])
def test_a_folder_of_another_family_is_served_as_its_model_answers(tmp_path: Path, name: str) -> None:
    """As KcELECTRA, klue/roberta and DistilKoBERT have it: the family's own weights, and the word pieces of a BERT."""
    model = write_family_folder(tmp_path / "checkpoint", name)
    bundle = resolve(settings_for(tmp_path / "checkpoint", tmp_path / "cache"), Reports())
    assert (bundle.config.max_length, bundle.config.pad_token_id) == (512, 0)
    np.testing.assert_allclose(logits_of(bundle), logits_of_torch(model, bundle), rtol=0, atol=0.3)


def test_a_multi_label_checkpoint_becomes_a_multi_label_bundle(tmp_path: Path) -> None:
    folder = write_transformers_folder(tmp_path / "checkpoint", problem_type="multi_label_classification")
    bundle = resolve(settings_for(folder, tmp_path / "cache"), Reports())
    assert bundle.config.problem_type == "multi_label_classification"


def test_a_setting_says_that_a_text_has_several_labels_where_the_config_does_not(tmp_path: Path) -> None:
    folder = write_transformers_folder(tmp_path / "source")
    settings = settings_for(folder, tmp_path / "cache", model_problem_type="multi_label_classification")
    assert resolve(settings).config.problem_type == "multi_label_classification"


# torch announces the end of the exporter that optimum still uses, and warns of what it traces.
@pytest.mark.filterwarnings("ignore")
def test_an_onnx_export_becomes_a_bundle(tmp_path: Path) -> None:
    folder = write_transformers_folder(tmp_path / "export", architectures=["DebertaV2ForSequenceClassification"])
    model = bert_classifier()
    example = {name: torch.ones(1, 8, dtype=torch.int64) for name in ("input_ids", "attention_mask")}
    (folder / "onnx").mkdir()
    torch.onnx.export(
        _LogitsOnly(model).eval(), tuple(example.values()), str(folder / "onnx" / "model.onnx"), dynamo=False,
        input_names=list(example), output_names=["output_0"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in example} | {"output_0": {0: "batch"}},
    )  # fmt: skip

    bundle = resolve(settings_for(folder, tmp_path / "cache"), Reports())

    assert bundle.config.labels == list(LABELS)
    np.testing.assert_allclose(logits_of(bundle), logits_of_torch(model, bundle), rtol=0, atol=0.1)


class _LogitsOnly(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def test_the_settings_choose_labels_length_and_clean_label(tmp_path: Path) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    chosen = {"model_labels": ["괜찮음", "욕설", "모욕"], "clean_label": "괜찮음", "max_length": 128}

    bundle = resolve(settings_for(folder, tmp_path / "cache", **chosen), Reports())

    assert bundle.config.labels == chosen["model_labels"]
    assert (bundle.config.clean_label, bundle.config.max_length) == ("괜찮음", 128)


@pytest.mark.parametrize(("order", "pad_token_id"), [("kobert", 1), ("file", 4)])
def test_special_tokens_in_another_order_are_reported_and_a_setting_chooses(
    tmp_path: Path, order: str, pad_token_id: int
) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    specials, pieces = ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "[PAD]"], list(own_ids(folder / "spiece.model"))[5:]
    (folder / "vocab.pkl").write_bytes(gluonnlp_vocabulary([*specials, *pieces], protocol=4))
    reports = Reports()

    bundle = resolve(settings_for(folder, tmp_path / "cache", vocab_specials=order), reports)

    assert bundle.config.pad_token_id == pad_token_id
    assert any("VOCAB_SPECIALS" in notice for notice in reports.notices)
    record = read_record(bundle.path)
    assert record is not None
    assert record.notices == reports.notices


@pytest.mark.parametrize("cached", [False, True])
def test_a_users_own_texts_tell_what_int8_changes(tmp_path: Path, cached: bool) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    if cached:
        resolve(settings_for(folder, tmp_path / "cache"), Reports())
    table = tmp_path / "mine.csv"
    table.write_text("text,label\n" + "".join(f"배송이 빠르고 좋습니다 {i},{LABELS[i % 3]}\n" for i in range(12)))

    ended = run_command("model", "import", folder, "--check", table, CACHE_DIR=str(tmp_path / "cache"))

    assert ended.returncode == 0, ended.stderr.decode()
    said = r"on 12 texts of yours: accuracy 0\.\d+ in float and 0\.\d+ in int8; int8 answers \d+ of them otherwise"
    assert re.search(said, ended.stderr.decode())


def test_texts_whose_labels_are_none_of_the_models_are_one_sentence(tmp_path: Path) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    table = tmp_path / "mine.csv"
    table.write_text("text,label\n" + "".join(f"글 {i},x{i % 2}\n" for i in range(4)))
    ended = run_command("model", "import", folder, "--check", table, CACHE_DIR=str(tmp_path / "cache"))
    assert ended.returncode == 1
    assert "none of the labels of these texts (x0, x1) is one of the model's" in ended.stderr.decode()


def test_labels_of_the_user_rescue_a_broken_file_of_labels(tmp_path: Path) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    (folder / "category.pkl").write_bytes(b"broken")
    bundle = resolve(settings_for(folder, tmp_path / "cache", model_labels=["가", "나", "다"]), Reports())
    assert bundle.config.labels == ["가", "나", "다"]


def test_a_model_of_thousands_of_positions_reads_windows_of_512(tmp_path: Path) -> None:
    folder = write_transformers_folder(tmp_path / "long", max_position_embeddings=2048)
    model = bert_classifier(positions=2048)
    model.save_pretrained(tmp_path / "weights")
    (tmp_path / "weights" / "model.safetensors").replace(folder / "model.safetensors")
    assert resolve(settings_for(folder, tmp_path / "cache"), Reports()).config.max_length == 512
    asked = settings_for(folder, tmp_path / "cache", max_length=1024)
    assert resolve(asked, Reports()).config.max_length == 1024


def test_a_family_that_only_transformers_knows_is_exported_in_a_process_of_its_own(tmp_path: Path) -> None:
    model = write_exported_folder(tmp_path / "mine", "deberta-v2")
    bundle = resolve(settings_for(tmp_path / "mine", tmp_path / "cache"), Reports())
    assert not logits_differ(bundle, model)


def test_an_adapter_is_merged_onto_its_base_in_a_process_of_its_own(tmp_path: Path) -> None:
    model = family_classifier("RoBERTa", vocab_size=len(WORDS))
    expected = write_adapter_folder(tmp_path, model, ("query", "value"))
    bundle = resolve(settings_for(tmp_path / "adapter", tmp_path / "cache"), Reports())
    model.load_state_dict(expected)
    assert not logits_differ(bundle, model)


def logits_differ(bundle: Bundle, model: Any) -> bool:
    return float(np.abs(logits_of(bundle) - logits_of_torch(model, bundle)).max()) > 0.4


def test_what_a_bundle_says_of_itself_names_no_folder_of_the_machine(tmp_path: Path) -> None:
    bundle = resolve(settings_for(write_legacy_folder(tmp_path / "legacy"), tmp_path / "cache"), Reports())
    told = "".join((bundle.path / name).read_text() for name in ("README.md", "conversion.json", "config.json"))
    assert str(tmp_path) not in told
    assert json.loads((bundle.path / "conversion.json").read_text())["source"] == "legacy"
