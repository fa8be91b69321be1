"""Every command of a running service takes `--url` and `--key`, before its name and behind it."""

from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner

from cli import client
from cli.commands import MODULES, kobert

# Commands that need no running service: they work on files, on the store or on a model.
_LOCAL = {"run", "model", "keys"}


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, (*path, name))


OF_A_SERVICE = [(path, command) for path, command in leaves(kobert, ()) if path[0] not in _LOCAL]


def arguments_of(command: click.Command) -> list[str]:
    """Something for each argument and option that it needs; this file stands for files."""
    given: list[str] = []
    for param in command.params:
        value = __file__ if isinstance(param.type, click.Path) else "1"
        if param.required:
            given += [value] if isinstance(param, click.Argument) else [param.opts[0], value]
    return given


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """The address and the key of each client that a command made."""
    made: list[tuple[str, str | None]] = []
    original = client.ServiceClient.__init__

    def noted(self: Any, url: str, api_key: str | None) -> None:
        made.append((url, api_key))
        original(self, url, api_key)

    monkeypatch.setattr(client.ServiceClient, "__init__", noted)
    return made


def test_the_commands_of_a_service_are_found_by_walking_the_parser() -> None:
    assert {path[0] for path, _ in OF_A_SERVICE} == set(MODULES) - _LOCAL
    assert len(OF_A_SERVICE) > 15


@pytest.mark.parametrize(("path", "command"), OF_A_SERVICE, ids=[" ".join(path) for path, _ in OF_A_SERVICE])
@pytest.mark.parametrize("place", ["behind", "before"])
def test_it_takes_the_address_and_the_key_in_both_places(
    asked: list[tuple[str, str | None]], path: tuple[str, ...], command: click.Command, place: str
) -> None:
    given = ["--url", "http://127.0.0.1:9", "--key", "mine"]
    words = [*path, *arguments_of(command)]
    # `kobert predict` has no sub-commands, so that both places are behind its name.
    at = 1 if place == "before" else len(path)
    result = CliRunner().invoke(kobert, [*words[:at], *given, *words[at:]], input="")

    assert result.exit_code != 2, result.output
    assert set(asked) == {("http://127.0.0.1:9", "mine")}


def test_what_stands_behind_the_name_comes_first(
    asked: list[tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOBERT_URL", "http://127.0.0.1:7")
    CliRunner().invoke(
        kobert, ["jobs", "--key", "k", "--url", "http://127.0.0.1:8", "list", "--url", "http://127.0.0.1:9"]
    )
    CliRunner().invoke(kobert, ["jobs", "list"])

    assert asked == [("http://127.0.0.1:9", "k"), ("http://127.0.0.1:7", None)]
