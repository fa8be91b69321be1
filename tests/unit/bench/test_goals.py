"""`bench.goals` finds the thresholds that meet a goal at the least cost to the harmless sets."""

import numpy as np

from bench.goals import GRID, LABELS, STANDARD, Scored, cheapest, report


def made(name: str, scores: list[tuple[float, ...]], *, bad: bool, limit: float) -> Scored:
    table = np.array(scores)
    reached = {(place, cut): table[:, place] >= cut for place in range(len(LABELS)) for cut in GRID}
    return Scored(name, bad, limit, reached)


# By `curse` the second bad text comes with every harmless one, by `insult` with half of them.
HARMLESS = made("calm", [(0.4, 0.3, 0, 0), (0.4, 0, 0, 0)], bad=False, limit=0.1)
BAD = made("rude", [(0.9, 0, 0, 0), (0.35, 0.28, 0, 0)], bad=True, limit=1.0)


def test_the_label_is_lowered_that_flags_less_of_the_harmless() -> None:
    assert cheapest([HARMLESS, BAD], [BAD]) is not None
    curse, insult, *_ = cheapest([HARMLESS, BAD], [BAD]) or ()

    assert curse > 0.4
    assert insult == 0.27


def test_a_goal_that_no_thresholds_meet_has_none() -> None:
    silent = made("silent", [(0.0, 0.0, 0.0, 0.0)], bad=True, limit=1.0)

    assert cheapest([HARMLESS, silent], [silent]) is None


def test_the_report_names_what_is_missed_and_marks_what_it_costs() -> None:
    page = report([HARMLESS, BAD], "made up")

    assert "Missed: rude." in page
    assert f"| curse counts from |  | {STANDARD} |" in page
    assert "| rude | >= 100.0% | **50.0%** | 100.0% |" in page
    assert "| calm | <= 10.0% | 0.0% | **50.0%** |" in page


def test_where_nothing_is_missed_the_report_says_so() -> None:
    assert "Missed: none." in report([HARMLESS], "made up")
