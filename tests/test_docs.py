"""The documents, held to the code: settings, routes, commands, links, and one README against the other."""

import re
import runpy
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import Metric
from redis.asyncio import Redis

from api.main import create_app
from api.metrics.counters import ApiMetrics
from api.metrics.gauges import LiveGauges
from api.queue.dispatcher import Dispatcher
from api.queue.fleet import Fleet
from api.queue.publisher import Publisher
from api.queue.store_wire import LastingWire
from shared.settings import Settings
from worker.counters import WorkerMetrics
from worker.inference.cache import ResultCache
from worker.inference.cascade import NoCascade

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.ko.md")
FRAMEWORK_ROUTES = {"/docs", "/redoc", "/openapi.json"}


def read(name: str) -> str:
    return (ROOT / name).read_text()


def code_blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", read(name), re.DOTALL)


def documents() -> list[Path]:
    """The project's own pages; what a benchmark installs under build/ is none."""
    parts = [(path, path.relative_to(ROOT).parts) for path in ROOT.rglob("*.md")]
    return [path for path, of in parts if of[0] != "build" and not any(part.startswith(".") for part in of)]


KOREAN_PAGES = [path for path in documents() if path.name.endswith(".ko.md")]
CONSOLE_WORDS = [ROOT / "api/console/static" / name for name in ("words.js", "sentences.js")]


def shown_default(name: str) -> str:
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "" if default in (None, {}, []) else str(default)


@pytest.mark.parametrize("page", ["docs/settings.md", "docs/settings.ko.md"])
def test_the_tables_of_settings_are_complete_and_their_defaults_are_true(page: str) -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\| .+ \|$", read(page), re.MULTILINE)

    assert dict(rows) == {name.upper(): shown_default(name) for name in Settings.model_fields}
    assert len(rows) == len(Settings.model_fields)


def metric_table(heading: str, page: str = "docs/operations.md") -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels of each metric in a table of the page on operations."""
    section = read(page).partition(f"### {heading}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\| .+ \|$", section, re.MULTILINE)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def shown_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def own_families(families: Iterable[Metric]) -> dict[str, str]:
    """Types of our metrics, without those of the process."""
    return {shown_name(family): family.type for family in families if family.name.startswith("kobert_")}


def test_the_korean_tables_of_metrics_say_what_the_english_ones_say() -> None:
    for english, korean in (("API", "API"), ("Worker", "워커")):
        assert metric_table(korean, "docs/operations.ko.md") == metric_table(english)


def test_the_table_of_the_apis_metrics_is_complete_and_its_types_are_true() -> None:
    settings = Settings(redis_url="redis://localhost")
    fleet = Fleet(Redis(), interval_s=1)
    dispatcher = Dispatcher(settings, "here", Publisher(LastingWire(Redis(), 1), "here"), fleet)
    registry = ApiMetrics().registry
    registry.register(LiveGauges(Redis(), fleet, dispatcher, "1"))

    assert {name: kind for name, (kind, _) in metric_table("API").items()} == own_families(registry.collect())


def test_the_table_of_the_workers_metrics_is_complete_and_its_types_are_true() -> None:
    metrics = WorkerMetrics()
    metrics.watch_cache(ResultCache(0))
    metrics.watch_cascade(NoCascade())
    families = metrics.registry.collect()
    assert {name: kind for name, (kind, _) in metric_table("Worker").items()} == own_families(families)


def test_every_metric_that_a_document_names_exists() -> None:
    known = {*metric_table("API"), *metric_table("Worker")}
    suffixes = ("", "_sum", "_count", "_bucket")
    for document in documents():
        named = set(re.findall(r"\bkobert_[a-z_]+\b", document.read_text()))
        unknown = {name for name in named if not any(name.removesuffix(suffix) in known for suffix in suffixes)}
        assert not unknown - {"kobert_classifier", "kobert_client"}, document


@pytest.mark.parametrize("readme", READMES)
def test_every_variable_that_a_readme_names_is_a_setting(readme: str) -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)`", read(readme), re.MULTILINE))
    named |= set(re.findall(r"\b([A-Z][A-Z_]+)=", "".join(code_blocks(readme, "bash"))))

    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("readme", READMES)
def test_every_route_is_in_the_readme_and_every_one_there_exists(readme: str) -> None:
    routes = set(create_app(Settings(redis_url="redis://localhost")).openapi()["paths"])
    named = set(re.findall(r"`(?:GET|POST|PUT|DELETE) (/[^` ]*)`", read(readme)))

    assert named - FRAMEWORK_ROUTES == routes


@pytest.mark.parametrize("readme", READMES)
def test_a_readme_shows_the_commands_that_its_session_is_recorded_from(readme: str) -> None:
    script = runpy.run_path(str(ROOT / "docs" / "make_session.py"))
    first, last = script["MARKERS"]
    session = read(readme).partition(first)[2].partition(last)[0]

    assert re.findall(r"^\$ (.+)$", session, re.MULTILINE) == [script["START_COMMAND"], *script["COMMANDS"]]
    assert script["put_between_markers"](f"a{first}old{last}b", "new") == f"a{first}\nnew\n{last}b"
    with pytest.raises(ValueError, match="lacks"):
        script["put_between_markers"]("no markers", "new")


def test_both_readmes_show_the_same_commands_and_replies() -> None:
    for language in ("bash", "json"):
        assert code_blocks("README.md", language) == code_blocks("README.ko.md", language)


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


def anchors(document: Path) -> set[str]:
    """Names of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\(([^):#]*\.md)?#([^)]+)\)", document.read_text())
    missing = [(name, anchor) for name, anchor in links if anchor not in anchors(document.parent / (name or document))]
    assert not missing


@pytest.mark.parametrize("name", ["path-of-a-text.md", "path-of-a-row.md"])
def test_a_path_has_ten_named_hops_each_with_its_code(name: str) -> None:
    hops = re.findall(r"^(\d+)\. \*\*([A-Z][\w -]+)\*\* \((`[^)]+)\)", read(f"docs/{name}"), re.MULTILINE)
    assert [int(number) for number, _, _ in hops] == list(range(1, 11))


@pytest.mark.parametrize("page", ["docs/own-model.md", "docs/own-model.ko.md"])
def test_the_matrix_shows_at_least_25_kinds_of_source_each_with_its_figures(page: str) -> None:
    section = re.split(r"^### (?:Sources tried|시험한 소스).*$", read(page), flags=re.MULTILINE)[1].partition("\n#")[0]
    rows = [re.split(r" *\| *", line.strip("| ")) for line in re.findall(r"^\| .+ \|$", section, re.MULTILINE)][1:]
    measured = [
        cells for cells in rows if len(cells) == 7 and re.match(r"[\d,]+", cells[2]) and cells[5].endswith("MiB")
    ]

    assert len(measured) >= 25


def test_the_decisions_are_numbered_without_gaps() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    titles = [re.match(r"# (\d+)\. ", file.read_text()) for file in files]

    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    assert [title and int(title[1]) for title in titles] == list(range(1, len(files) + 1))


def test_the_index_leads_to_every_page() -> None:
    index = read("docs/README.md")
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path.name != "README.md"]
    moved = {"docs/model-notes.md"}  # what cards of bundles made before still name
    names = {str(page.relative_to(ROOT)) for page in pages} - moved
    assert not [name for name in names if f"({name.removeprefix('docs/')})" not in index]


def first_cells(document: Path) -> list[list[str]]:
    """The names in backticks in the first cell of each table row, without placeholders such as FOLDER."""
    cells = re.findall(r"^\| ([^|]+) \|", document.read_text(), re.MULTILINE)
    return [sorted(re.findall(r"`([^`]+?)(?: [A-Z]+| [가-힣]+)?`", cell)) for cell in cells]


def commands(document: Path) -> list[str]:
    """The lines of the code blocks, without comments and without diagrams, which are translated."""
    blocks = re.findall(r"```\w+\n(.*?)```", document.read_text(), re.DOTALL)
    return [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("korean", KOREAN_PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_korean_page_and_its_english_one_lead_to_each_other_and_name_the_same_things(korean: Path) -> None:
    english = korean.with_name(korean.name.replace(".ko.md", ".md"))

    assert f"[English]({english.name})" in korean.read_text().splitlines()[:4]
    assert f"[한국어]({korean.name})" in english.read_text().splitlines()[:4]
    assert first_cells(korean) == first_cells(english)
    assert commands(korean) == commands(english)


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    named = set(re.findall(r"`make ([a-z][a-z-]*)", document.read_text()))
    listed = subprocess.run(["make", "-qp"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert named <= set(re.findall(r"^([a-z][a-z-]*):", listed, re.MULTILINE))


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_are_spelled_so_that_they_work_from_a_clone(document: Path) -> None:
    if document.name != "CHANGELOG.md":
        assert not re.findall(
            r"(?<![\w./-])kobert (?:run|jobs|model|predict|keys|corrections)\b.*", document.read_text()
        )


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(
        r"`((?:api|bundles|convert|worker|shared|cli|training|bench|tests|docs|models)/[\w./-]+\.\w+)`",
        document.read_text(),
    )
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_tests_that_hold_a_promise_or_an_attack_are_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/.]+)`", text))

    assert len(named) > 30
    assert {path for path in named if not (ROOT / path).exists()} == set()
    assert {number for number in range(1, 16) if f"| F{number}: " not in text} == set()


# What a thing is called in Korean, and other words that stood for it in the console or in the pages.
ONE_WORD = {
    "버전": r"[0-9}]판|(?:지난|이전|보관된|지금|이) 판(?:\W|[으을은이과까])",
    "워커": "작업자",
    "엄격도": "엄격함",
    "임계값": "기준점|기준값",
    "금지어": "금칙어",
    "단어": "낱말",
    "라벨": "레이블(?!`)",
    "열": "칼럼|컬럼",
}


@pytest.mark.parametrize(("word", "others"), ONE_WORD.items(), ids=list(ONE_WORD))
def test_the_console_and_the_korean_pages_have_one_word_for_a_thing(word: str, others: str) -> None:
    found = {path.name: re.findall(others, path.read_text()) for path in (*KOREAN_PAGES, *CONSOLE_WORDS)}
    assert {name: said for name, said in found.items() if said} == {}, f"say {word}"
