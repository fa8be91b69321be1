"""The page's Korean for what the service says: each sentence that a moderator can meet, and none that is gone."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.jobs.service import MANY_PREVIEWS
from api.jobs.upload_slots import ALL_TAKEN

ROOT = Path(__file__).resolve().parents[3]
TABLE = ROOT / "api/console/static/sentences.js"
WORDS = ROOT / "api/console/static/words.js"
# What reads a moderator's files and rules, and what looks at the store.
ROOMS = (
    *sorted((ROOT / "api/uploads").glob("*.py")),
    ROOT / "api/jobs/intake.py",
    ROOT / "api/policies/service.py",
    ROOT / "api/corrections/service.py",
    ROOT / "shared/policies/parsing.py",
    ROOT / "shared/store_check.py",
)
# What refuses a file or a queue for lack of room.
LIMITS = ("api/jobs/capacity.py", "api/jobs/room.py", "api/jobs/upload_slots.py", "api/reviews/service.py")
# Only programs send what these refuse, or ask where the page asks nothing.
FOR_PROGRAMS = re.compile(
    "multipart|the form |form's fields|came after the file|JSON body|JSON object|metadata|an option |of an option|"
    'format=|sheet= is for|send "texts"|no reader for|was cancelled|cannot be read: {}$|there is no correction|'
    "is not kept|POLICIES_FILE|must be an array of terms|a string or an object|has a field|has no term|match is|"
    "mask|half of a surrogate pair, which"
)


def table() -> dict[str, str]:
    written = TABLE.read_text(encoding="utf-8").partition("const sentences = ")[2].partition("\n};")[0]
    return json.loads(written.rstrip().removesuffix(",") + "}")


def template(node: ast.expr) -> str:
    """A text of the source with {} for each value that is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def said(path: Path, kinds: tuple[str, ...] = ("Error", "Fault", "Finding", "Failure")) -> Iterator[str]:
    """The sentences that a file raises, or keeps of a row or of the store."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(kinds):
            yield from (text for text in map(template, node.args) if " " in text)


def bare(sentence: str) -> str:
    return re.sub(r"\{\w+\}", "{}", sentence)


def test_every_sentence_that_a_moderator_can_meet_is_there_in_korean() -> None:
    known = {bare(sentence) for sentence in table()}
    missing = {text for path in ROOMS for text in said(path) if text not in known and not FOR_PROGRAMS.search(text)}
    assert not missing


def test_every_limit_that_a_moderator_can_reach_is_told_in_korean() -> None:
    known = {bare(sentence) for sentence in table()}
    told = {text for name in LIMITS for text in said(ROOT / name, ("OverloadedError", "RateLimitedError"))}
    told |= {ALL_TAKEN, MANY_PREVIEWS}
    assert len(told) >= 8
    assert told <= known


def test_every_english_sentence_is_one_of_the_service() -> None:
    sources = [*(ROOT / "api").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]
    nodes = (node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    spoken = {template(node) for node in nodes if isinstance(node, ast.expr)}
    assert not [sentence for sentence in table() if bare(sentence) not in spoken]


def test_what_is_filled_in_is_one_that_the_service_fills_in() -> None:
    names = re.compile(r"\{(\w+)\}")
    for english, korean in table().items():
        given = names.findall(english)
        assert len(given) == len(set(given)), english
        assert set(names.findall(korean)) <= set(given), english


def words_of(language: str) -> list[str]:
    """The names of the page's own words, in order."""
    section = WORDS.read_text(encoding="utf-8").partition(f"\n  {language}: {{\n")[2].partition("\n  },")[0]
    return re.findall(r'^    "?([\w./-]+)"?: "', section, re.MULTILINE)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_no_word_of_the_page_is_written_twice(language: str) -> None:
    names = words_of(language)
    assert len(names) > 150
    assert sorted(names) == sorted(set(names))


def test_the_two_languages_have_the_same_words_but_for_what_the_service_says_in_english_itself() -> None:
    korean, english = set(words_of("ko")), set(words_of("en"))
    assert english <= korean
    assert {name for name in korean - english if not name.startswith("error.")} == set()


def test_the_korean_words_are_korean() -> None:
    text = WORDS.read_text(encoding="utf-8").partition("\n  ko: {\n")[2].partition("\n  },")[0]
    pairs = re.findall(r'^    "?([\w./-]+)"?: "(.*)",$', text, re.MULTILINE)
    assert {name for name, said in pairs if not re.search("[가-힣]", said)} == {"language"}
