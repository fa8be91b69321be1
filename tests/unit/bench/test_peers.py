"""The comparison with other servers: what it asks for, how it counts, and what it says is met."""

import asyncio
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the training extra is not installed")

from bench.peers.__main__ import options_of
from bench.peers.contenders import CONTENDERS, ENGINE
from bench.peers.goals import goals
from bench.peers.headline import KOREAN, LANGUAGES, table
from bench.peers.load import closed_loop, due_times, open_arrivals, request_bytes
from bench.peers.loads import ARRAYS, CLOSED, FULL, LONE, OPEN, Point
from bench.peers.report import Run, read, write

ASKED = [
    ["--goals"],
    [],
    ["--goals", "--only", "engine", "ours", "mosec", "--rounds", "2"],
    ["--style", "plain", "--load", "8 clients", "50% of capacity", "--seconds", "0.5"],
]


def point(contender: str, load: str, number: int = 0, **figures: float) -> Point:
    style = "tuned" if contender in {"mosec", "fastapi"} else ""
    shown = {"texts_per_s": 1000.0, "p50_ms": 4.0, "p95_ms": 5.0, "p99_ms": 6.0, "cpu_ms": 1.0, **figures}
    return Point(contender, style, load, number, **shown, resident_mb_by_part={"api": 70.0})  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", ASKED, ids=" ".join)
def test_the_written_command_measures_the_same_and_names_no_folder_of_this_machine(arguments: list[str]) -> None:
    private = ["--logs", "/private/logs", "--write", "/private/report"]
    asked = options_of([*arguments, *private])

    again = options_of(shlex.split(asked.command.removeprefix("python -m bench.peers")))

    assert "private" not in asked.command
    plans = [(o.only, o.style, o.load, o.rounds, o.seconds, o.goals) for o in (asked, again)]
    assert plans[0] == plans[1]


def verdicts(*points: Point) -> dict[str, bool]:
    return {
        goal.says.partition(":")[0] + "|" + goal.says.partition("over ")[2][:5]: goal.holds for goal in goals(points)
    }


def test_a_peer_that_is_a_little_ahead_must_have_the_longer_tail() -> None:
    ours = point("ours", FULL.name, texts_per_s=960.0, p99_ms=50.0)

    assert verdicts(ours, point("mosec", FULL.name, p99_ms=60.0)) == {f"{FULL.name}|mosec": True}
    assert verdicts(ours, point("mosec", FULL.name, p99_ms=40.0)) == {f"{FULL.name}|mosec": False}
    assert verdicts(ours, point("mosec", FULL.name, texts_per_s=1100.0)) == {f"{FULL.name}|mosec": False}
    assert verdicts(ours, point("mosec", FULL.name, texts_per_s=900.0, p99_ms=40.0)) == {f"{FULL.name}|mosec": True}


def test_the_engine_alone_bounds_speed_processor_time_and_a_lone_texts_delay() -> None:
    alone = [point(ENGINE, load.name) for load in (LONE, FULL, ARRAYS)]
    near = [
        point("ours", LONE.name, p50_ms=6.9),
        point("ours", FULL.name, cpu_ms=1.29),
        point("ours", ARRAYS.name, texts_per_s=851.0),
    ]
    far = [
        point("ours", LONE.name, p50_ms=7.1),
        point("ours", FULL.name, cpu_ms=1.31),
        point("ours", ARRAYS.name, texts_per_s=849.0),
    ]

    assert [goal.holds for goal in goals([*alone, *near])] == [True, True, True]
    assert [goal.holds for goal in goals([*alone, *far])] == [False, False, False]


def test_a_ratio_is_taken_within_a_round() -> None:
    # Each round has its own pace: only within a round ours is always a tenth ahead.
    points = [
        point(name, FULL.name, number, texts_per_s=pace * factor)
        for number, pace in enumerate((100.0, 1000.0, 400.0))
        for name, factor in (("ours", 1.1), ("mosec", 1.0))
    ]

    assert [goal.measured.partition(";")[0] for goal in goals(points)] == ["1.10 / 1.10 / 1.10"]


def test_a_round_in_which_a_peer_answered_nothing_tells_no_ratio() -> None:
    points = [point("ours", FULL.name, number) for number in (0, 1)]
    points += [point("mosec", FULL.name, 0, texts_per_s=500.0), point("mosec", FULL.name, 1, texts_per_s=0.0)]

    assert [goal.measured.partition(";")[0] for goal in goals(points)] == ["2.00 / 2.00 / 2.00"]


def test_the_report_has_every_load_and_contender_that_was_measured(tmp_path: Path) -> None:
    loads = [*CLOSED, *OPEN]
    points = [point(name, load.name) for load in loads for name in ("ours", "mosec", "celery")]
    points += [point(ENGINE, load.name) for load in CLOSED]

    whole = Run("python -m bench.peers", 2, "x86_64", 3, 1.5, points)
    one_core = Run("python -m bench.peers --goals", 1, "x86_64", 5, 1.6, [point("ours", LONE.name, p50_ms=77.7)])

    write(whole, tmp_path / "peers.json")
    write(one_core, tmp_path / "peers-one-core.json")

    report, _, second = (tmp_path / "peers.md").read_text().partition("on 1 processor (x86_64)")
    assert all(f"### {load.name}\n" in report for load in loads)
    assert report.count("| mosec | tuned |") == len(loads) + 1
    assert report.count("| the engine alone |") == len(CLOSED)
    assert "77.7 / 77.7 / 77.7" in second
    assert read(tmp_path / "peers.json") == whole
    assert (tmp_path / "peers.svg").read_text().startswith("<?xml")


def test_the_readmes_table_leaves_out_what_was_not_measured_and_plain_peers() -> None:
    rows = [
        {"contender": name, "style": style, "load": FULL.name, "texts_per_s": speed, "cpu_ms": 1.5}
        for name, style, speed in (("ours", "", 1085.0), ("mosec", "tuned", 1109.0), ("mosec", "plain", 1.0))
    ]

    assert table(rows, KOREAN).splitlines()[2:] == [
        "| **이 서비스** | 1,085 | - | - | 1.5 ms |",
        "| mosec | 1,109 | - | - | 1.5 ms |",
    ]


def test_every_peer_but_the_original_has_a_name_in_both_readmes() -> None:
    named = {contender.name for contender in CONTENDERS if not contender.name.startswith("original")} | {ENGINE}
    assert [set(language.names) for language in LANGUAGES] == [named, named]


@contextmanager
def answering(statuses: list[int], together: int = 1) -> Iterator[str]:
    """A server that answers `statuses` in turn, and only when `together` requests wait; its URL."""
    loop, waiting, asked = asyncio.new_event_loop(), [], iter(range(1_000_000))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            await reader.readexactly(2)
            waiting.append(writer)
            if len(waiting) == together:
                for one in waiting:
                    status = statuses[next(asked) % len(statuses)]
                    one.write(f"HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok".encode())
                waiting.clear()
        writer.close()
        await writer.wait_closed()

    async def end() -> None:
        server.close()
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.01)

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_latency_of_open_arrivals_begins_when_the_request_was_due() -> None:
    count = len(due_times(200, 0.2, seed=3))
    with answering([200], together=count) as url:
        sample = open_arrivals(url, [request_bytes(url, "/", b"{}")], 200, 0.2, seed=3)

    # All were answered at one moment, so who was due first waited longest; neighbours may be read in any order.
    assert sample.answered == count > 20
    assert min(sample.latencies[:10]) > max(sample.latencies[-10:])


def test_the_share_answered_counts_refused_requests() -> None:
    with answering([200, 503, 503, 200]) as url:
        request = request_bytes(url, "/", b"{}")
        closed = closed_loop(url, [request], 1, 0.1, 0.05)
        opened = open_arrivals(url, [request], 400, 0.3, seed=1)

    assert closed.answered_share == pytest.approx(0.5, abs=0.1)
    assert opened.answered_share == pytest.approx(0.5, abs=0.1)
    assert len(opened.latencies) == opened.answered
