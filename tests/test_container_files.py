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
# What the Hub's own library reads, and its defaults.
HUB = {"HF_TOKEN": "", "HF_ENDPOINT": "https://huggingface.co", "HF_HUB_OFFLINE": ""}
# What a Dockerfile may set besides: variables of Python, of the C library, of the Hub's client and of pip.
FOREIGN = {"PATH", "RES_OPTIONS", "HF_HOME", "HF_HUB_DISABLE_TELEMETRY"}
# Settings that nobody sets in containers, and why.
NOT_IN_CONTAINERS = {
    "CACHE_DIR": "converted models are in the volume `data`, where DATA_DIR is",
    "DATA_DIR": "the images set it to /data, which is the volume `data`",
    "SHUTDOWN_TIMEOUT_S": "must stay below the stop period that docker-compose.yml gives",
    "STORE_MAX_MEMORY_BYTES": "of the embedded store; the service `redis` has REDIS_MAX_MEMORY",
    "WORKERS": "processes of `kobert run`; in containers it is --scale worker=N",
}
# Settings that are only about the port where the proxy is published.
OF_THE_PROXY = {"HOST", "PORT"}
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
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "" if default in (None, {}, []) else str(default)


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_a_service_is_a_setting(service: str) -> None:
    environment = compose()["services"][service]["environment"]

    assert environment
    assert set(environment) <= SETTINGS | set(HUB)


def test_every_variable_that_compose_reads_is_a_setting_or_one_of_its_own() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(interpolated(text)) <= SETTINGS | COMPOSE_ONLY | set(HUB)


def test_every_setting_can_be_set_in_containers_unless_there_is_a_reason() -> None:
    handed_over = {name for service in OURS for name in compose()["services"][service]["environment"]}
    published = set(interpolated("".join(compose()["services"]["proxy"]["ports"])))

    assert published == OF_THE_PROXY
    assert handed_over - set(HUB) == SETTINGS - OF_THE_PROXY - set(NOT_IN_CONTAINERS)


def test_a_variable_that_compose_hands_over_empty_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(name, "")
    assert Settings() == Settings.model_construct()


@pytest.mark.parametrize(
    ("service", "folders"), [("worker", ("worker", "bundles", "shared")), ("api", ("api", "shared"))]
)
def test_a_service_has_every_setting_that_its_code_reads(service: str, folders: tuple[str, ...]) -> None:
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    code = "".join(file.read_text() for file in files)
    read = {name for name in SETTINGS if re.search(rf"settings\.{name.lower()}\b", code)}
    threads = {"TASK_THREADS"} if service == "api" else set()  # of the Celery application, where the API only sends

    assert len(read) > 20
    assert read - OF_THE_PROXY - set(NOT_IN_CONTAINERS) - threads <= set(compose()["services"][service]["environment"])


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
        if name != "REDIS_PASSWORD":  # it has none
            assert value == (of_compose[name] or HUB.get(name) or ("" if name in HUB else shown_default(name))), name


def test_a_misspelt_setting_would_be_found() -> None:
    text = (ROOT / "docker-compose.yml").read_text().replace("MAX_TEXT_CHARS: ${MAX_TEXT_CHARS", "MAX_TXT: ${MAX_TXT")
    assert set(interpolated(text)) - SETTINGS - COMPOSE_ONLY - set(HUB) == {"MAX_TXT"}


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
        assert any(how in arguments for how in ("--require-hashes", "-c constraints.txt", "--no-deps")), arguments


def test_every_dependency_that_an_image_installs_has_a_pinned_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["api"], *extras["worker"], *extras["embedded"]]
    names = {re.split(r"[\[<>=~! ]", line)[0].lower().replace("_", "-") for line in wanted}
    pinned = {
        line.partition("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().split()
    }
    assert names <= pinned


def test_there_is_no_password_that_everybody_knows() -> None:
    text = (ROOT / "docker-compose.yml").read_text()

    assert example()["REDIS_PASSWORD"] == ""
    assert len(re.findall(r"\$\{REDIS_PASSWORD:\?", text)) == text.count("${REDIS_PASSWORD") == 2
