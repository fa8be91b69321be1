"""MODEL=owner/name, against a Hub of our own over HTTP."""

from pathlib import Path

import httpx
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.format import write_manifest
from shared.commands import kobert_command
from tests.support.echo import write_echo_bundle
from tests.support.hub_command import NOWHERE, REPO, Kobert
from tests.support.hub_server import HubServer
from tests.support.sources import write_legacy_folder

pytestmark = [pytest.mark.integration, pytest.mark.training]


def test_a_part_that_is_not_there_is_one_sentence_and_names_what_is(
    kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes]
) -> None:
    hub.add(REPO, bundle_files | {"onnx/model_O2.onnx": b"", "onnx/model_qint8_avx512.onnx": b""})
    said = kobert.refusal("import", f"{REPO}/onnx/model_O3.onnx")
    assert f"{REPO} holds nothing called onnx/model_O3.onnx; its models are model.onnx, onnx/model_O2.onnx" in said
    assert "there is no such file or folder here; me/nothing is not on the Hub" in kobert.refusal(
        "import", "me/nothing/model.onnx"
    )


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


def test_offline_an_earlier_download_is_used(kobert: Kobert, hub: HubServer, bundle_files: dict[str, bytes]) -> None:
    hub.add(REPO, bundle_files)
    assert kobert("import", REPO).returncode == 0
    hub.requests.clear()

    ended = kobert("inspect", REPO, HF_HUB_OFFLINE="1", CACHE_DIR=f"{kobert.environment['CACHE_DIR']}-new")

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


@pytest.mark.usefixtures("converted_here")
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


def test_pushing_without_a_token_is_one_sentence_before_anything_is_converted(
    kobert: Kobert, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    assert "HF_TOKEN is not set" in kobert.refusal("push", "me/bundle", "--from", str(folder))
    assert not (tmp_path / "cache").exists()


def test_the_small_hub_is_asked_as_the_real_one_is(hub: HubServer) -> None:
    """The server's own promise: a range, an entity tag and the commit, as the Hub's library needs them."""
    commit = hub.add("me/one", {"a.bin": b"0123456789"})
    url = f"{hub.url}/me/one/resolve/main/a.bin"
    assert httpx.get(url, headers={"Range": "bytes=4-"}).content == b"456789"
    assert httpx.head(url).headers["X-Repo-Commit"] == commit
