"""The headline table of both READMEs, taken from the card of the default bundle.

python -m training.readme_table           # prints it in English and in Korean
python -m training.readme_table --write   # puts it between the markers in README.md and README.ko.md
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from bundles.format import CARD_FILE
from shared.errors import KobertError, ModelSourceError

ROOT = Path(__file__).resolve().parents[1]
CARD = ROOT / "models" / "default" / CARD_FILE
START, END = "<!-- verdict-table -->", "<!-- /verdict-table -->"
_GOAL, _OURS = "goal at `standard`", "standard"
_UNTUNED = " (not tuned)"


@dataclass(frozen=True)
class Language:
    """The words of one README. `sets` are the names that differ from the card's."""

    readme: str
    harmless: str
    bad: str
    goal: str
    ours: str
    sets: dict[str, str]


ENGLISH = Language(
    "README.md",
    "harmless text: share flagged",
    "bad text: share found",
    "goal",
    "ours",
    {
        "K/DA neutral": "K/DA, neutral chat",
        "NSMC positive": "NSMC, positive film reviews",
        "NSMC negative": "NSMC, negative film reviews",
        "K-MHaS not_hate": "K-MHaS, news comments without hate",
        "curse-detection clean": "Curse-detection, clean community posts",
        "KoSBi safe": "KoSBi, calm sentences about groups",
        "field, clean": "lines as operators meet them, clean",
        "field, bad": "lines as operators meet them, bad",
        "K/DA implicit": "K/DA, insults without swear words",
        "K-MHaS any label": "K-MHaS, hate or profanity",
        "curse-detection curse": "Curse-detection, curses",
        "HateScore 혐오발언": "HateScore, hate",
        "HateScore 단순 악플": "HateScore, malicious comments",
    },
)
KOREAN = Language(
    "README.ko.md",
    "문제없는 글: 걸린 비율",
    "나쁜 글: 찾은 비율",
    "목표",
    "내장 모델",
    {
        "K/DA neutral": "K/DA, 평범한 대화",
        "NSMC positive": "NSMC, 긍정 영화평",
        "NSMC negative": "NSMC, 부정 영화평",
        "K-MHaS not_hate": "K-MHaS, 혐오가 없는 뉴스 댓글",
        "curse-detection clean": "Curse-detection, 욕설이 없는 커뮤니티 글",
        "KoSBi safe": "KoSBi, 집단을 차분히 말하는 문장",
        "everyday sentences": "일상 대화",
        "headlines": "뉴스 제목",
        "questions on hard topics": "무거운 주제의 질문",
        "field, clean": "운영자가 실제로 만나는 글, 문제없음",
        "field, bad": "운영자가 실제로 만나는 글, 나쁨",
        "innocent look-alikes": "욕설처럼 보이는 무고한 문장",
        "K/DA implicit": "K/DA, 욕설 없는 모욕",
        "K-MHaS any label": "K-MHaS, 혐오나 비속어",
        "curse-detection curse": "Curse-detection, 욕설",
        "HateScore 혐오발언": "HateScore, 혐오발언",
        "HateScore 단순 악플": "HateScore, 단순 악플",
        "disguised curses": "변형한 욕설",
        "threats": "협박",
    },
)
LANGUAGES = (ENGLISH, KOREAN)


def headline(card: str, language: Language) -> str:
    """The table in Markdown: each set of the card that has a goal, ours at `standard`, and the keyword filters.

    Raises:
        ModelSourceError: the card has no such tables.
    """
    lines: list[str] = []
    for kind, title in (("harmless", language.harmless), ("bad", language.bad)):
        names, *rows = _table(card, kind)
        ours, filters = names.index(_OURS), names[names.index("strict") + 1 :]
        if not lines:
            head = ["", language.goal, language.ours, *filters]
            lines += [_row(head), "|---" * len(head) + "|"]
        lines.append(_row([f"**{title}**", "", "", *[""] * len(filters)]))
        for cells in rows:
            name, goal = cells[0].removesuffix(_UNTUNED), cells[names.index(_GOAL)]
            if goal:
                shown = goal.replace("<=", "≤").replace(">=", "≥")
                theirs = cells[len(names) - len(filters) :]
                lines.append(_row([language.sets.get(name, name), shown, cells[ours], *theirs]))
    return "\n".join(lines)


def _table(card: str, kind: str) -> list[list[str]]:
    """The cells of the card's table of that kind, the header first, without the line of dashes."""
    lines = iter(card.splitlines())
    for line in lines:
        if line.startswith(f"| {kind} | texts | {_GOAL} |"):
            next(lines)
            return [_cells(line), *map(_cells, takewhile(lambda row: row.startswith("|"), lines))]
    raise ModelSourceError(f"the card of the default bundle has no table of {kind} sets: write it with `make model`")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _row(cells: Sequence[str]) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"


def put_between_markers(text: str, table: str, name: str) -> str:
    """`text`, with `table` in place of what stands between the markers.

    Raises:
        ModelSourceError: `text`, which is the file `name`, lacks the markers.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ModelSourceError(f"{name} lacks the markers {START} and {END}")
    return f"{before}{START}\n{table}\n{END}{after}"


def write(folder: Path, card: str) -> None:
    """Put the table into the READMEs in `folder`."""
    for language in LANGUAGES:
        path = folder / language.readme
        text = put_between_markers(path.read_text(encoding="utf-8"), headline(card, language), language.readme)
        path.write_text(text, encoding="utf-8")


def main() -> int:
    """Print the tables, or write them. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.readme_table", description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into README.md and README.ko.md")
    options = parser.parse_args()
    try:
        card = CARD.read_text(encoding="utf-8")
        if options.write:
            write(ROOT, card)
        else:
            sys.stdout.write("\n\n".join(headline(card, language) for language in LANGUAGES) + "\n")
    except KobertError as error:
        logging.getLogger(__name__).error("%s", error.message)  # noqa: TRY400  a sentence, not a trace
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
