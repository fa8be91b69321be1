"""MODEL=owner/name, against a Hub of our own over HTTP."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.format import write_manifest
from bundles.own_process import Notice, Progress
from bundles.sources import conversion
from bundles.sources.resolver import resolve
from shared.commands import kobert_command
from shared.settings import load_settings
from tests.support.adapters import write_adapter_folder
from tests.support.echo import write_echo_bundle
from tests.support.families import WORDS, family_classifier
from tests.support.hub_server import HubServer, running_hub
from tests.support.sources import write_legacy_folder, write_transformers_folder

pytestmark = [pytest.mark.integration, pytest.mark.training]

ROOT = Path(__file__).resolve().parents[2]
REPO = "hiddenFront/TextClassifier"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with running_hub() as server:
        yield server


@pytest.fixture(scope="module")
def legacy_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = write_legacy_folder(tmp_path_factory.mktemp("legacy"))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def bundle_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A repository that needs no conversion, for what is about the Hub alone."""
    folder = write_echo_bundle(tmp_path_factory.mktemp("bundles") / "echo")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Kobert:
    """The command `kobert model`, with a cache and a Hub of its own."""

    def __init__(self, folder: Path, hub: HubServer) -> None:
        names = {"HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE", "MODEL", "CACHE_DIR"}
        self.environment = {name: value for name, value in os.environ.items() if name not in names}
        self.environment |= {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "CACHE_DIR": str(folder / "cache"),
            "HUB_TIMEOUT_S": "5",
        }

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", "model", *arguments]
        merged = {**self.environment, **environment}
        return subprocess.run(command, cwd=ROOT, env=merged, capture_output=True, text=True, check=False)

    def refusal(self, *arguments: str, **environment: str) -> str:
        """The one sentence that a refused command ends with."""
        ended = self(*arguments, **environment)
        assert ended.returncode == 1, ended
        assert "Traceback" not in ended.stderr
        last = ended.stderr.strip().splitlines()[-1]
        assert last.startswith("kobert: ")
        return last.removeprefix("kobert: ")


@pytest.fixture
def kobert(tmp_path: Path, hub: HubServer) -> Kobert:
    return Kobert(tmp_path, hub)


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


def test_a_repository_without_a_tokenizer_gets_koberts(
    kobert: Kobert, hub: HubServer, legacy_files: dict[str, bytes]
) -> None:
    hub.add(REPO, {name: content for name, content in legacy_files.items() if name != "spiece.model"})
    hub.add("skt/kobert-base-v1", {"spiece.model": legacy_files["spiece.model"], "pytorch_model.bin": b"large"})

    ended = kobert("import", REPO)

    assert "tokenizer    spiece.model, read as kobert does" in ended.stdout, ended.stderr
    assert not [request for request in hub.requests if request.startswith("GET") and "pytorch_model" in request]


def test_without_a_tokenizer_and_without_koberts_the_user_is_told_what_to_add(
    kobert: Kobert, hub: HubServer, tmp_path: Path
) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    (folder / "spiece.model").unlink()
    sentence = kobert.refusal("import", str(folder), HF_ENDPOINT=NOWHERE)
    assert "has no tokenizer, and KoBERT's could not be fetched" in sentence
    assert "put spiece.model of skt/kobert-base-v1 beside the checkpoint" in sentence


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


def test_a_part_that_is_not_there_is_one_sentence_and_names_what_is(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes]
) -> None:
    hub.add(REPO, bundle_files | {"onnx/model_O2.onnx": b"", "onnx/model_qint8_avx512.onnx": b""})
    said = kobert.refusal("import", f"{REPO}/onnx/model_O3.onnx")
    assert f"{REPO} holds nothing called onnx/model_O3.onnx; its models are model.onnx, onnx/model_O2.onnx" in said
    assert "there is no such file or folder here; me/nothing is not on the Hub" in kobert.refusal(
        "import", "me/nothing/model.onnx"
    )


def test_another_revision_is_another_model(kobert: Kobert, hub: HubServer, legacy_files: dict[str, bytes]) -> None:
    old = hub.add(REPO, {**legacy_files, "config.json": b'{"id2label": {"0": "a", "1": "b", "2": "c"}}'})
    new = hub.add(REPO, legacy_files)

    assert f"at {new}" in kobert("import", REPO).stdout
    assert f"at {old}" in kobert("import", f"{REPO}@{old}").stdout


def test_a_pinned_commit_needs_no_hub_once_it_is_here(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes]
) -> None:
    source = f"{REPO}@{hub.add(REPO, bundle_files)}"
    assert kobert("import", source).returncode == 0
    hub.requests.clear()

    ended = kobert("inspect", source)

    assert ended.returncode == 0
    assert hub.requests == []
    assert "note:" not in ended.stderr


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"HF_ENDPOINT": NOWHERE}, "cannot be reached: no network, or it is down"),
        ({"HF_HUB_OFFLINE": "1", "HF_HOME": "elsewhere"}, "HF_HUB_OFFLINE is set"),
    ],
)
def test_while_the_hub_is_away_the_last_good_bundle_is_served(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes], trouble: dict[str, str], said: str
) -> None:
    hub.add(REPO, bundle_files)
    before = kobert("import", REPO)

    ended = kobert("inspect", REPO, **trouble)

    assert ended.returncode == 0, ended.stderr
    assert said in ended.stderr
    assert "the last that was downloaded from hiddenFront/TextClassifier" in ended.stderr
    assert ended.stdout.splitlines() == before.stdout.splitlines()[: len(ended.stdout.splitlines())]


def test_a_worker_without_torch_serves_the_last_bundle_when_somebody_has_pushed_a_newer_checkpoint(
    kobert: Kobert,
    hub: HubServer,
    bundle_files: dict[str, bytes],
    legacy_files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in kobert.environment.items():
        monkeypatch.setenv(name, value)
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


def test_offline_an_earlier_download_is_used(kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes]) -> None:
    hub.add(REPO, bundle_files)
    assert kobert("import", REPO).returncode == 0
    hub.requests.clear()

    ended = kobert("inspect", REPO, HF_HUB_OFFLINE="1", CACHE_DIR=kobert.environment["CACHE_DIR"] + "-new")

    assert ended.returncode == 0, ended.stderr
    assert hub.requests == []


def test_an_interrupted_download_goes_on_where_it_stopped(kobert: Kobert, hub: HubServer, tmp_path: Path) -> None:
    """The Hub's library keeps what it has in pieces of 10 MB, so the file is larger than one."""
    folder = tmp_path / "large"
    write_echo_bundle(folder)
    (folder / "model.onnx").write_bytes(bytes(20_000_000))
    write_manifest(folder)
    hub.add(REPO, {path.name: path.read_bytes() for path in folder.iterdir()})
    hub.cut_after_bytes = 15_000_000

    first = kobert("import", REPO)
    again = first if first.returncode == 0 else kobert("import", REPO)

    assert again.returncode == 0, again.stderr
    ranges = [request for request in hub.requests if "bytes=" in request]
    assert len(ranges) == 1
    assert "model.onnx" in ranges[0]


def test_only_the_files_of_a_bundle_are_fetched_and_they_are_checked(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes]
) -> None:
    hub.add(REPO, {**bundle_files, "old-model.pt": b"large", ".gitattributes": b""})
    assert kobert("verify", REPO).returncode == 0
    assert not [request for request in hub.requests if "old-model" in request]

    hub.add("me/altered", {**bundle_files, "model.onnx": b"something else"})
    assert "model.onnx was changed or cut short" in kobert.refusal("verify", "me/altered")

    for odd in (b'{"format_version": 1, "files": {"../x": "0"}}', b'{"format_version": 1, "files": {"": "0"}}'):
        hub.add("me/odd", {**bundle_files, "manifest.json": odd})
        assert "manifest.json of me/odd cannot be read" in kobert.refusal("verify", "me/odd")


def test_a_private_repository_opens_with_the_token_and_only_with_it(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes]
) -> None:
    hub.add(REPO, bundle_files, private=True)

    assert kobert.refusal("import", REPO) == (
        f"{REPO} is not on the Hub, or it is private (401): check the name, and set HF_TOKEN if it is private"
    )
    assert "the Hub does not accept HF_TOKEN" in kobert.refusal("import", REPO, HF_TOKEN="hf_wrong")
    opened = kobert("import", REPO, HF_TOKEN=hub.token)
    assert opened.returncode == 0
    assert hub.token not in opened.stdout + opened.stderr


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("me/nothing", "me/nothing is not on the Hub, or it is private"),
        (f"{REPO}@no-such-branch", "has no such revision"),
        ("me/empty", "me/empty has no model: it is empty"),
        ("me/words", "me/words has no model: it holds README.md"),
    ],
)
def test_a_source_that_is_not_there_is_one_sentence(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes], source: str, sentence: str
) -> None:
    hub.add(REPO, bundle_files)
    hub.add("me/empty", {".gitattributes": b""})
    hub.add("me/words", {"README.md": b"# nothing"})
    assert sentence in kobert.refusal("import", source)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_in_trouble_is_one_sentence(kobert: Kobert, hub: HubServer, status: int) -> None:
    hub.status = status
    assert kobert.refusal("import", REPO) == f"the Hub has a problem ({status}); try again later"


def test_a_hub_that_does_not_answer_in_time_is_one_sentence(kobert: Kobert, hub: HubServer) -> None:
    hub.silent.set()
    sentence = kobert.refusal("import", REPO, HUB_TIMEOUT_S="0.5")
    assert sentence == f"{hub.url} did not answer in time (HUB_TIMEOUT_S)"


def test_a_hub_home_that_cannot_be_written_is_explained(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.add(REPO, bundle_files)
    (tmp_path / "file").write_text("a file where a folder should be")
    sentence = kobert.refusal("import", REPO, HF_HOME=str(tmp_path / "file"))
    assert "the download from the Hub cannot be kept in" in sentence
    assert "set HF_HOME to a folder that this user may write" in sentence


def test_an_imported_bundle_can_be_written_to_a_folder_of_its_own(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.add(REPO, bundle_files)
    output = tmp_path / "out"

    imported = kobert("import", REPO, "--output", str(output))

    assert f"MODEL={output} {kobert_command('run')}" in imported.stdout
    assert {path.name for path in output.iterdir()} == set(bundle_files)
    assert "is not empty; name a new folder" in kobert.refusal("import", REPO, "--output", str(output))


def test_a_bundle_is_pushed_with_its_card_and_served_from_there(
    kobert: Kobert, hub: HubServer, legacy_files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.add(REPO, legacy_files)
    pushed = kobert("push", "me/bundle", "--from", REPO, HF_TOKEN=hub.token)
    assert pushed.returncode == 0, pushed.stderr
    files = hub.repos["me/bundle"].commits[hub.repos["me/bundle"].head]
    assert {"model.onnx", "tokenizer.json", "config.json", "manifest.json", "README.md"} <= set(files)
    assert b"MODEL=" in files["README.md"]

    revision = next(line for line in kobert("inspect", REPO).stdout.splitlines() if line.startswith("revision"))
    fetched = kobert("verify", "me/bundle")

    assert revision.split()[1] in fetched.stdout
    assert "every file is as its manifest says" in fetched.stdout


def test_pushing_without_a_token_is_one_sentence(kobert: Kobert, hub: HubServer, tmp_path: Path) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    assert "HF_TOKEN is not set" in kobert.refusal("push", "me/bundle", "--from", str(folder))


def test_the_small_hub_is_asked_as_the_real_one_is(hub: HubServer) -> None:
    """The server's own promise: a range, an entity tag and the commit, as the Hub's library needs them."""
    commit = hub.add("me/one", {"a.bin": b"0123456789"})
    url = f"{hub.url}/me/one/resolve/main/a.bin"
    assert httpx.get(url, headers={"Range": "bytes=4-"}).content == b"456789"
    assert httpx.head(url).headers["X-Repo-Commit"] == commit
