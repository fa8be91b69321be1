"""The table of both READMEs beside other servers, taken from `docs/performance/peers.json`.

python -m bench.peers.headline           # prints it in English and in Korean
python -m bench.peers.headline --write   # puts it between the markers in README.md and README.ko.md
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.contenders import ALL_READ, CONTENDERS, ENGINE, OURS, ROOT
from bench.peers.loads import ARRAYS, FULL, LONE, Load

POINTS = ROOT / "docs" / "performance" / "peers.json"
START, END = "<!-- peers-table -->", "<!-- /peers-table -->"
_STYLES = ("", "tuned")

Row = Mapping[str, object]


@dataclass(frozen=True)
class Language:
    """The words of one README; names of contenders are the same in both."""

    readme: str
    full: str
    arrays: str
    lone: str
    processor: str
    names: Mapping[str, str]


ENGLISH = Language(
    "README.md",
    "texts/s, 64 clients, one text a request",
    "texts/s, 4 clients, 64 texts a request",
    "a lone text, p50",
    "processor time of a text",
    {
        ENGINE: "the engine alone, without a service",
        OURS.name: "**this service**",
        ALL_READ.name: "this service, its model reading every text (`CASCADE=off`)",
        "fastapi": "forty lines of FastAPI and ONNX Runtime",
        "litserve": "LitServe",
        "bentoml": "BentoML",
        "mosec": "mosec",
        "ray": "Ray Serve",
        "celery": "FastAPI and Celery with a result backend",
        "infinity": "infinity",
    },
)
KOREAN = Language(
    "README.ko.md",
    "초당 글 수: 클라이언트 64개, 요청마다 글 하나",
    "초당 글 수: 클라이언트 4개, 요청마다 글 64개",
    "한가할 때 글 하나, p50",
    "글 하나의 CPU 시간",
    {
        **ENGLISH.names,
        ENGINE: "서비스 없이 엔진만",
        OURS.name: "**이 서비스**",
        ALL_READ.name: "이 서비스, 모든 글을 모델이 읽을 때(`CASCADE=off`)",
        "fastapi": "FastAPI와 ONNX Runtime 40줄",
        "celery": "결과 백엔드를 쓰는 FastAPI와 Celery",
    },
)
LANGUAGES = (ENGLISH, KOREAN)


def table(points: Sequence[Row], language: Language) -> str:
    """Medians over the rounds, of peers with our options for the model."""
    lines = [
        f"| | {language.full} | {language.arrays} | {language.lone} | {language.processor} |",
        "|---|---|---|---|---|",
    ]
    for name in (OURS.name, *(contender.name for contender in CONTENDERS[1:]), ENGINE):
        if name in language.names and _median(points, name, FULL, "texts_per_s"):
            cells = [
                _shown(points, name, FULL, "texts_per_s", "{:,.0f}"),
                _shown(points, name, ARRAYS, "texts_per_s", "{:,.0f}"),
                _shown(points, name, LONE, "p50_ms", "{:.1f} ms"),
                _shown(points, name, FULL, "cpu_ms", "{:.1f} ms"),
            ]
            lines.append(f"| {language.names[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _shown(points: Sequence[Row], name: str, load: Load, figure: str, form: str) -> str:
    value = _median(points, name, load, figure)
    return form.format(value) if value else "-"


def _median(points: Sequence[Row], name: str, load: Load, figure: str) -> float:
    chosen = [
        float(str(point[figure]))
        for point in points
        if (point["contender"], point["load"]) == (name, load.name) and point["style"] in _STYLES
    ]
    return statistics.median(chosen) if chosen else 0.0


def write(folder: Path) -> None:
    """Put the table into the READMEs in `folder`.

    Raises:
        ValueError: a README lacks the markers.
    """
    points = json.loads(POINTS.read_text(encoding="utf-8"))["points"]
    for language in LANGUAGES:
        path = folder / language.readme
        before, start, rest = path.read_text(encoding="utf-8").partition(START)
        _, end, after = rest.partition(END)
        if not start or not end:
            raise ValueError(f"{language.readme} lacks the markers {START} and {END}")
        path.write_text(f"{before}{START}\n{table(points, language)}\n{END}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peers.headline", description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into README.md and README.ko.md")
    if parser.parse_args().write:
        write(ROOT)
    else:
        points = json.loads(POINTS.read_text(encoding="utf-8"))["points"]
        sys.stdout.write("\n\n".join(table(points, language) for language in LANGUAGES) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
