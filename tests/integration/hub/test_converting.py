"""MODEL=owner/name of what must be converted, against a Hub of our own over HTTP."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.own_process import Notice, Progress
from bundles.sources import conversion
from bundles.sources.resolver import resolve
from shared.settings import load_settings
from tests.support.adapters import write_adapter_folder
from tests.support.families import WORDS, family_classifier
from tests.support.hub_command import NOWHERE, REPO, Kobert
from tests.support.hub_server import HubServer
from tests.support.sources import write_legacy_folder, write_transformers_folder

pytestmark = [pytest.mark.integration, pytest.mark.training]


def test_a_legacy_repository_is_fetched_and_converted_once(
    kobert: Kobert, hub: HubServer, legacy_files: dict[str, bytes]
) -> None:
    commit = hub.add(REPO, {**legacy_files, "app.py": b"print()", ".gitattributes": b""})

    first = kobert("import", REPO)
    downloads = [request for request in hub.requests if request.startswith("GET") and "/resolve/" in request]
    hub.requests.clear()
    second = kobert("inspect", REPO)

    assert first.returncode == 0, first.stderr
    assert f"made from    {REPO} at {commit}" in first.stdout
    assert sorted(request.rpartition("/")[2] for request in downloads) == sorted(legacy_files)
    assert "labels       clean, curse, insult" in second.stdout
    assert not [request for request in hub.requests if "/resolve/" in request]


@pytest.mark.usefixtures("converted_here")
def test_a_repository_without_a_tokenizer_gets_koberts(
    kobert: Kobert, hub: HubServer, legacy_files: dict[str, bytes]
) -> None:
    hub.add(REPO, {name: content for name, content in legacy_files.items() if name != "spiece.model"})
    hub.add("skt/kobert-base-v1", {"spiece.model": legacy_files["spiece.model"], "pytorch_model.bin": b"large"})

    ended = kobert("import", REPO)

    assert "tokenizer    spiece.model, read as kobert does" in ended.stdout, ended.stderr
    assert not [request for request in hub.requests if request.startswith("GET") and "pytorch_model" in request]


@pytest.mark.usefixtures("converted_here")
def test_without_a_tokenizer_and_without_koberts_the_user_is_told_what_to_add(
    kobert: Kobert, hub: HubServer, tmp_path: Path
) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    (folder / "spiece.model").unlink()
    sentence = kobert.refusal("import", str(folder), HF_ENDPOINT=NOWHERE)
    assert "has no tokenizer, and KoBERT's could not be fetched" in sentence
    assert "put spiece.model of skt/kobert-base-v1 beside the checkpoint" in sentence


@pytest.mark.usefixtures("converted_here")
def test_a_transformers_repository_is_converted(kobert: Kobert, hub: HubServer, tmp_path: Path) -> None:
    folder = write_transformers_folder(tmp_path / "checkpoint")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.add("me/kobert", {**files, "onnx/model.onnx": b"not needed"})

    ended = kobert("import", "me/kobert")

    assert "labels       clean, curse, insult" in ended.stdout, ended.stderr
    assert not [request for request in hub.requests if "onnx" in request]


def test_a_config_is_judged_before_anything_else_is_fetched(kobert: Kobert, hub: HubServer, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in write_transformers_folder(tmp_path / "checkpoint").iterdir()}
    config = json.loads(files["config.json"]) | {"architectures": ["BertForTokenClassification"]}
    hub.add("me/words", {**files, "config.json": json.dumps(config).encode()})

    assert "labels words, not whole texts" in kobert.refusal("import", "me/words")
    fetched = {request.rpartition("/")[2] for request in hub.requests if "/resolve/" in request}
    assert fetched == {"config.json"}


@pytest.mark.usefixtures("converted_here")
def test_a_folder_of_a_repository_is_a_model_of_its_own(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes], tmp_path: Path
) -> None:
    """As trainers push their checkpoints; of another folder, nothing is fetched."""
    folder = write_transformers_folder(tmp_path / "checkpoint")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    commit = hub.add(
        "me/runs", {f"{run}/{name}": content for run in ("best", "last") for name, content in files.items()}
    )

    ended = kobert("import", f"me/runs/best@{commit}")

    assert f"made from    me/runs/best@{commit} at {commit}" in ended.stdout, ended.stderr
    assert not [request for request in hub.requests if "/last/" in request]
    again = kobert("inspect", f"me/runs/best@{commit}", HF_ENDPOINT=NOWHERE)
    assert again.returncode == 0, again.stderr
    hub.add("me/bundles", {f"a/{name}": content for name, content in bundle_files.items()})
    assert kobert("verify", "me/bundles/a").returncode == 0


@pytest.mark.usefixtures("converted_here")
def test_an_adapter_brings_its_base_from_the_hub_at_the_revision_that_it_names(
    kobert: Kobert, hub: HubServer, tmp_path: Path
) -> None:
    write_adapter_folder(tmp_path / "it", family_classifier("BERT", vocab_size=len(WORDS)), ("query",))
    base = {path.name: path.read_bytes() for path in (tmp_path / "it/base").iterdir()}
    commit = hub.add("me/base", {**base, "onnx/model.onnx": b"not needed", "tf_model.h5": b"not needed"})
    hub.add("me/base", {"config.json": b"{}"})
    adapter = {path.name: path.read_bytes() for path in (tmp_path / "it/adapter").iterdir()}
    config = json.loads(adapter["adapter_config.json"]) | {"base_model_name_or_path": "me/base", "revision": commit}
    hub.add("me/adapter", {**adapter, "adapter_config.json": json.dumps(config).encode(), "optimizer.pt": b"large"})

    ended = kobert("import", "me/adapter")

    assert "labels       clean, curse, insult" in ended.stdout, ended.stderr
    assert f"me/adapter is a LoRA adapter; it is merged onto its base me/base@{commit}" in ended.stderr
    assert not [request for request in hub.requests if re.search("onnx|h5|optimizer", request)]


@pytest.mark.usefixtures("converted_here")
def test_an_adapter_is_judged_before_its_weights_and_its_base_are_fetched(
    kobert: Kobert, hub: HubServer, tmp_path: Path
) -> None:
    write_adapter_folder(tmp_path / "it", family_classifier("BERT"), ("query",), use_dora=True)
    adapter = {path.name: path.read_bytes() for path in (tmp_path / "it/adapter").iterdir()}
    hub.add("me/dora", adapter)
    assert "an adapter with DoRA, which is not read" in kobert.refusal("import", "me/dora")
    config = json.loads(adapter["adapter_config.json"]) | {"use_dora": False, "base_model_name_or_path": "me/vision"}
    hub.add("me/plain", {**adapter, "adapter_config.json": json.dumps(config).encode()})
    hub.add("me/vision", {"config.json": b'{"model_type": "vit"}', "model.safetensors": b"large"})
    assert "me/vision is a vit" in kobert.refusal("import", "me/plain")
    fetched = [request for request in hub.requests if "/resolve/" in request]
    assert not [request for request in fetched if "me/dora" in request and "safetensors" in request]
    assert not [request for request in fetched if "me/vision" in request and "safetensors" in request]


@pytest.mark.usefixtures("converted_here")
def test_another_revision_is_another_model(kobert: Kobert, hub: HubServer, legacy_files: dict[str, bytes]) -> None:
    old = hub.add(REPO, {**legacy_files, "config.json": b'{"id2label": {"0": "a", "1": "b", "2": "c"}}'})
    new = hub.add(REPO, legacy_files)

    assert f"at {new}" in kobert("import", REPO).stdout
    assert f"at {old}" in kobert("import", f"{REPO}@{old}").stdout


def test_a_worker_without_torch_serves_the_last_bundle_when_somebody_has_pushed_a_newer_checkpoint(
    kobert: Kobert,
    hub: HubServer,
    bundle_files: dict[str, bytes],
    legacy_files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in kobert.environment.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    hub.add(REPO, bundle_files)
    settings = load_settings(model=REPO)
    before = resolve(settings)
    hub.add(REPO, legacy_files)
    # The image of the worker has none of these.
    monkeypatch.setattr(conversion, "_NEEDED", ("a_library_that_is_not_installed",))
    reports: list[Progress | Notice] = []

    served = resolve(settings, reports.append)

    assert served.revision == before.revision
    notices = [report.message for report in reports if isinstance(report, Notice)]
    assert len(notices) == 1
    assert "must be converted once" in notices[0]
    assert "the last that was downloaded" in notices[0]
