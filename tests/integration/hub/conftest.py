"""A Hub, the command that asks it, and what repositories hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.echo import write_echo_bundle
from tests.support.hub_command import Kobert
from tests.support.hub_server import HubServer, running_hub


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with running_hub() as server:
        yield server


@pytest.fixture(scope="module")
def legacy_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    from tests.support.sources import write_legacy_folder  # noqa: PLC0415  it needs the training extra

    folder = write_legacy_folder(tmp_path_factory.mktemp("legacy"))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def bundle_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A repository that needs no conversion, for what is about the Hub alone."""
    folder = write_echo_bundle(tmp_path_factory.mktemp("bundles") / "echo")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def kobert(tmp_path: Path, hub: HubServer) -> Kobert:
    return Kobert(tmp_path, hub)


@pytest.fixture
def converted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.converting import convert_here  # noqa: PLC0415  it needs the training extra

    convert_here(monkeypatch)
