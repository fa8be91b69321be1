"""Jobs in containers: what is killed in the middle of one costs no row, and the profile `bulk` does them alone."""

import pytest

from tests.containers.engine import Project, report
from tests.containers.test_compose import wait_ready
from tests.support.jobs import assert_own_verdicts, done_rows, finish, result_lines, submit_texts
from tests.support.stack import wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

ROWS = 300
END_S = 180


def test_a_job_loses_no_row_and_doubles_none_when_a_worker_is_killed_and_redis_is_restarted(
    echo_project: Project,
) -> None:
    echo_project.up("--scale", "worker=2")
    wait_ready(echo_project, 2)
    texts = [f"댓글 {number:03d}" for number in range(ROWS)]
    job = submit_texts(echo_project, texts)

    wait_until(lambda: done_rows(echo_project, job) >= 40, "the first rows")
    victim = echo_project.containers("worker")[0]
    echo_project.engine.run("kill", victim)
    at_kill = done_rows(echo_project, job)
    wait_until(lambda: done_rows(echo_project, job) >= at_kill + 30, "rows after the kill")
    echo_project.engine.run("restart", echo_project.containers("redis")[0])

    finished = finish(echo_project, job, END_S)
    report(f"killed at row {at_kill} of {ROWS}; {finished['request_counts']}")
    assert at_kill < ROWS
    assert finished["request_counts"] == {"total": ROWS, "completed": ROWS, "failed": 0}
    assert_own_verdicts(result_lines(echo_project, job), texts)


def test_a_worker_of_the_profile_bulk_takes_a_job_while_no_other_worker_is_there(echo_project: Project) -> None:
    echo_project.compose("--profile", "bulk", "up", "-d", "--no-build", "worker-bulk")
    wait_until(lambda: len(echo_project.containers("worker-bulk")) == 1, "the bulk worker")
    for container in echo_project.containers("worker"):
        echo_project.engine.run("stop", container)
    texts = [f"밤새 할 일 {number:02d}" for number in range(40)]

    job = submit_texts(echo_project, texts)
    finish(echo_project, job, END_S)

    assert_own_verdicts(result_lines(echo_project, job), texts)
    log = echo_project.logs(echo_project.containers("worker-bulk")[0])
    assert f'"job_id": "{job["id"]}"' in log
    assert '"event":"job_completed"' in log
    assert "밤새" not in log
