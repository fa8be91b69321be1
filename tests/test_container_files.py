"""docker-compose.yml, .env.example and the Dockerfiles, held to the settings: a misspelt name fails here."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {name.upper() for name in Settings.model_fields}
# Variables that are docker-compose.yml's own; docs/containers.md has the table.
COMPOSE_ONLY = {"REDIS_PASSWORD", "REDIS_MAX_MEMORY", "MODELS_DIR"}
# What a Dockerfile may set besides: variables of Python, of the Hub's client and of pip.
FOREIGN = {"PATH", "HF_HOME", "HF_HUB_DISABLE_TELEMETRY"}
DOCKERFILES = ("Dockerfile.api", "Dockerfile.worker", "deploy/spaces/Dockerfile")
OURS = ("api", "worker", "worker-bulk", "model")


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def interpolated(text: str) -> dict[str, str]:
    """Variables that a compose file takes from its environment, with their defaults."""
    code = re.sub(r"^ *#.*$", "", text, flags=re.MULTILINE)
    return dict(re.findall(r"(?<!\$)\$\{([A-Z_]+)(?::?-([^}]*))?[^}]*\}", code))


def example() -> dict[str, str]:
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def shown_default(name: str) -> str:
    default = Settings.model_fields[name.lower()].get_default(call_default_factory=True)
    return "" if default is None or default == {} else str(default)


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_a_service_is_a_setting(service: str) -> None:
    environment = compose()["services"][service]["environment"]

    assert environment
    assert set(environment) <= SETTINGS


def test_every_variable_that_compose_reads_is_a_setting_or_one_of_its_own() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(interpolated(text)) <= SETTINGS | COMPOSE_ONLY


@pytest.mark.parametrize("service", OURS)
def test_a_variable_is_handed_over_under_its_own_name(service: str) -> None:
    for name, value in compose()["services"][service]["environment"].items():
        assert set(interpolated(str(value))) <= {name, "REDIS_PASSWORD"}


def test_the_example_has_every_variable_that_compose_reads_and_no_other() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(example()) == set(interpolated(text))


def test_the_example_shows_true_defaults() -> None:
    of_compose = interpolated((ROOT / "docker-compose.yml").read_text())
    for name, value in example().items():
        if name != "REDIS_PASSWORD":
            assert value == (of_compose[name] or shown_default(name)), name


def test_a_misspelt_setting_would_be_found() -> None:
    text = (ROOT / "docker-compose.yml").read_text().replace("MAX_TEXT_CHARS: ${MAX_TEXT_CHARS", "MAX_TXT: ${MAX_TXT")
    assert set(interpolated(text)) - SETTINGS - COMPOSE_ONLY == {"MAX_TXT"}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_every_variable_that_an_image_sets_is_a_setting_or_known(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    set_in = {variable for line in re.findall(r"^ENV (.*)$", text, re.MULTILINE) for variable in names_set(line)}
    assert {variable for variable in set_in if not variable.startswith(("PIP_", "PYTHON"))} <= SETTINGS | FOREIGN


def names_set(line: str) -> list[str]:
    return re.findall(r"(?:^|\s)([A-Z_]+)=", line)


def test_every_service_of_ours_is_locked_down_and_comes_back() -> None:
    services = compose()["services"]
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        if name != "model":  # it ends by itself
            assert service["restart"] == "unless-stopped", name
            assert service["logging"]["options"]["max-size"], name
    assert "ports" not in services["redis"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]


@pytest.mark.parametrize("name", ["Dockerfile.api", "Dockerfile.worker"])
def test_an_image_installs_nothing_that_is_not_pinned(name: str) -> None:
    installs = re.findall(r"pip [^\n]*?install (.*?)(?=&& sh |\nRUN|\nCOPY|\n\n)", (ROOT / name).read_text(), re.DOTALL)
    assert installs
    for arguments in installs:
        assert "-c constraints.txt" in arguments or "--no-deps" in arguments or "==" in arguments, arguments


def test_every_dependency_that_an_image_installs_has_a_pinned_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["api"], *extras["worker"], *extras["embedded"]]
    names = {re.split(r"[\[<>=~! ]", line)[0].lower().replace("_", "-") for line in wanted}
    pinned = {
        line.partition("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().split()
    }
    assert names <= pinned
