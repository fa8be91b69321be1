"""The points as tables in Markdown, as JSON, and as a plot."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.peers.contenders import ALL_READ, CONTENDERS, ENGINE, OURS, Contender
from bench.peers.goals import goals, in_rounds, three
from bench.peers.loads import CLOSED, FULL, LONE, OPEN, Load, Point
from bench.peers.plot import plot

_STYLES = ("", "tuned", "plain")
_COLUMNS = (
    "| | style | texts/s | ours / theirs | p50, ms | p95, ms | p99, ms | processor, ms a text | of the engine's "
    "| MB | answered | right |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
)


_HEAD = """# Beside other servers

Written by `python -m bench.peers --write`; do not edit.

![Texts a second, and p99 of arrivals at random times](peers.svg)

- Each service has the same model, tokenizer and normaliser. Two are different: infinity has no place for a
  normaliser, thresholds and single sentences; the original's weights are not to be had, so its network has random ones.
- `tuned`: with our session options, passes of 512 tokens sorted by length, one on each processor, and short waits.
  `plain`: ONNX Runtime's default options, one padded pass a batch of up to 64, and the waits that its documentation
  shows.
- Under a closed load each client sends its next request when its last is answered. Arrivals at random times (Poisson)
  come at a share of the most that the service did with one text a request in the same round, and a latency begins
  when a request is due.
- Ratios are taken within a round. A service is halted while others are measured. Memory is resident, summed over all
  processes of a service.
- Ours is what `make run` starts, whose [cascade](cascade.md) answers some texts without the model; beside it, the same
  with `CASCADE=off`. How many it answers of these texts: `python -m bench.cascade --smoke`; of news comments a fifth.
- One answer of five is compared with what the engine says of the text alone; the original's with its own to the text
  alone.
"""


@dataclass(frozen=True)
class Run:
    """One run of the comparison: the command that repeats it, what it ran on, and what it gave."""

    command: str
    processors: int
    machine: str
    rounds: int
    seconds: float
    points: Sequence[Point]


def write(run: Run, file: Path) -> None:
    """Keep `run` in the JSON `file`, and write the page of all runs in its folder: `peers.md`, and `peers.svg`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_encoded(run), encoding="utf-8")
    kept = sorted(file.parent.glob("peers*.json"), key=lambda path: (len(path.stem), path.stem))
    runs = [read(path) for path in kept]
    (file.parent / "peers.md").write_text("\n".join([_HEAD, *map(_section, runs), _who(runs)]), encoding="utf-8")
    plot([run.points for run in runs], file.parent / "peers.svg")


def read(file: Path) -> Run:
    """A run that `write` kept."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    return Run(**{**kept, "points": [Point(**point) for point in kept["points"]]})


def _encoded(run: Run) -> str:
    """A line for each point, with figures as exact as they are worth."""
    head = json.dumps({**asdict(run), "points": []})
    points = (json.dumps(_rounded(asdict(point))) for point in run.points)
    return head.replace('"points": []', '"points": [\n{}\n]').replace("{}", ",\n".join(points), 1) + "\n"


def _rounded(figures: dict[str, object]) -> dict[str, object]:
    return {
        name: round(value, 4) if isinstance(value, float) else _rounded(value) if isinstance(value, dict) else value
        for name, value in figures.items()
    }


def _section(run: Run) -> str:
    count = f"{run.processors} processor{'s' * (run.processors > 1)} ({run.machine})"
    says = f"`{run.command}`, on {count}: min / median / max over {run.rounds} rounds of {run.seconds:g} s a run.\n"
    names = {point.load for point in run.points}
    parts = [f"## {len(names)} loads, {count}\n", says, goal_table(run.points), tables(run.points)]
    return "\n".join(filter(None, parts))


def goal_table(points: Sequence[Point]) -> str:
    """What must be shown, with what was; empty where these points tell nothing of it."""
    if not goals(points):
        return ""
    lines = ["### What it must show\n", "| goal | min / median / max | |", "|---|---|---|"]
    lines += [f"| {goal.says} | {goal.measured} | {'yes' if goal.holds else '**no**'} |" for goal in goals(points)]
    return "\n".join(lines) + "\n"


def tables(points: Sequence[Point]) -> str:
    """One table a load, and one of what each process takes."""
    shown = [_of_load(load, points) for load in (*CLOSED, *OPEN) if _at(points, load)]
    return "\n".join([*shown, _by_part(points)])


def _at(points: Sequence[Point], load: Load) -> list[Point]:
    return [point for point in points if point.load == load.name]


def _of(points: Sequence[Point], name: str, style: str) -> list[Point]:
    return [point for point in points if (point.contender, point.style) == (name, style)]


def _of_load(load: Load, points: Sequence[Point]) -> str:
    lines = [f"### {load.name}\n", _COLUMNS]
    for name in (ENGINE, *(contender.name for contender in CONTENDERS)):
        measured = [chosen for style in _STYLES if (chosen := _of(_at(points, load), name, style))]
        lines += [_row(chosen, load, points) for chosen in measured]
    return "\n".join(lines) + "\n"


def _row(chosen: Sequence[Point], load: Load, points: Sequence[Point]) -> str:
    name, style = chosen[0].contender, chosen[0].style
    ratios = in_rounds(points, load, (name, style), lambda own, other: own.texts_per_s / other.texts_per_s)
    shown = {OURS.name: f"**{OURS.name}**", ALL_READ.name: "ours, `CASCADE=off`", ENGINE: "the engine alone"}.get(
        name, name
    )
    cells = [
        shown,
        style,
        _spread(chosen, lambda p: p.texts_per_s, 0),
        three(ratios, 2) if ratios and name != OURS.name else "",
        *_latencies(chosen, load),
        _spread(chosen, lambda p: p.cpu_ms, 2),
        _of_engines(chosen, _of(_at(points, load), ENGINE, "")),
        *_checked(chosen),
    ]
    return f"| {' | '.join(cells)} |"


def _latencies(chosen: Sequence[Point], load: Load) -> list[str]:
    """p50, p95 and p99; nothing of the engine's portions of 500 texts, which nobody waits for."""
    if chosen[0].contender == ENGINE and load is not LONE:
        return ["", "", ""]
    return [
        _spread(chosen, lambda p: p.p50_ms, 1),
        _spread(chosen, lambda p: p.p95_ms, 1),
        _spread(chosen, lambda p: p.p99_ms, 1),
    ]


def _of_engines(chosen: Sequence[Point], alone: Sequence[Point]) -> str:
    """Processor time of a text over the engine's own in the same round."""
    own = {point.round: point.cpu_ms for point in alone}
    ratios = [point.cpu_ms / own[point.round] for point in chosen if point.round in own]
    return three(ratios, 2) if ratios and chosen[0].contender != ENGINE else ""


def _checked(chosen: Sequence[Point]) -> list[str]:
    """Memory, what was answered, and what was right; nothing of the engine, which is asked directly."""
    if chosen[0].contender == ENGINE:
        return ["", "", ""]
    compared = sum(point.compared for point in chosen)
    right = sum(point.right * point.compared for point in chosen) / max(1, compared)
    return [
        f"{max(point.resident_mb for point in chosen):,.0f}",
        f"{min(point.answered for point in chosen):.1%}",
        f"{right:.1%} of {compared:,}" if compared else "none compared",
    ]


def _spread(points: Sequence[Point], figure: Callable[[Point], float], digits: int) -> str:
    return three([figure(point) for point in points], digits)


def _by_part(points: Sequence[Point]) -> str:
    lines = [
        "### By process\n",
        f"Medians at {FULL.name}, or at as many as it is given.\n",
        "| | style | processor, ms a text | MB |",
        "|---|---|---|---|",
    ]
    for contender in CONTENDERS:
        for style in _STYLES:
            if chosen := _fullest(_of(points, contender.name, style)):
                times = _parts([point.cpu_ms_by_part for point in chosen], 2)
                lines.append(
                    f"| {contender.name} | {style} | {times} | {_parts([p.resident_mb_by_part for p in chosen], 0)} |"
                )
    return "\n".join(lines) + "\n"


def _fullest(points: Sequence[Point]) -> list[Point]:
    """Those of the fullest closed load of one text, up to 64 clients."""
    loads = [load for load in CLOSED if load.texts == 1 and load.clients <= FULL.clients and _at(points, load)]
    return _at(points, max(loads, key=lambda load: load.clients)) if loads else []


def _parts(rounds: Sequence[Mapping[str, float]], digits: int) -> str:
    names = dict.fromkeys(name for parts in rounds for name in parts)
    middle = len(rounds) // 2
    medians = {name: sorted(parts.get(name, 0.0) for parts in rounds)[middle] for name in names}
    return ", ".join(f"{name} {value:,.{digits}f}" for name, value in medians.items() if value)


def _who(runs: Sequence[Run]) -> str:
    measured = {point.contender for run in runs for point in run.points}
    lines = ["## Who is measured\n", "| | what it is | versions |", "|---|---|---|"]
    lines += [_described(contender) for contender in CONTENDERS if contender.name in measured]
    return "\n".join(lines) + "\n"


def _described(contender: Contender) -> str:
    versions = ", ".join(f"`{requirement}`" for requirement in contender.requirements) or "this project's own"
    return f"| {contender.name} | {contender.says} | {versions} |"
