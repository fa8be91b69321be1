"""The documents, held to the code: settings, routes, commands, links, and one README against the other."""

import re
import subprocess
from pathlib import Path

import pytest

from api.main import create_app
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.ko.md")
FRAMEWORK_ROUTES = {"/docs", "/docs/oauth2-redirect", "/openapi.json"}


def read(name: str) -> str:
    return (ROOT / name).read_text()


def code_blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", read(name), re.DOTALL)


def documents() -> list[Path]:
    return [
        path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]


def shown_default(name: str) -> str:
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    return "" if default is None or default == {} else str(default)


def test_the_table_of_settings_is_complete_and_its_defaults_are_true() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\| .+ \|$", read("docs/settings.md"), re.MULTILINE)

    assert dict(rows) == {name.upper(): shown_default(name) for name in Settings.model_fields}
    assert len(rows) == len(Settings.model_fields)


@pytest.mark.parametrize("readme", READMES)
def test_every_variable_that_a_readme_names_is_a_setting(readme: str) -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)`", read(readme), re.MULTILINE))
    named |= set(re.findall(r"\b([A-Z][A-Z_]+)=", "".join(code_blocks(readme, "bash"))))

    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("readme", READMES)
def test_every_route_is_in_the_readme_and_every_one_there_exists(readme: str) -> None:
    routes = set(create_app(Settings(redis_url="redis://localhost")).openapi()["paths"])
    named = set(re.findall(r"`(?:GET|POST|DELETE) (/[^` ]*)`", read(readme)))

    assert named - FRAMEWORK_ROUTES == routes


def test_both_readmes_show_the_same_commands_and_replies() -> None:
    for language in ("bash", "json"):
        assert code_blocks("README.md", language) == code_blocks("README.ko.md", language)


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    named = set(re.findall(r"`make ([a-z][a-z-]*)", document.read_text()))
    listed = subprocess.run(["make", "-qp"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert named <= set(re.findall(r"^([a-z][a-z-]*):", listed, re.MULTILINE))


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(
        r"`((?:api|worker|shared|cli|training|bench|tests|docs|models)/[\w./-]+\.\w+)`", document.read_text()
    )
    assert not [name for name in named if not (ROOT / name).exists()]
