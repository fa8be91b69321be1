"""`tests/support/beside.py`, which runs the parts of `make test`: all of them run, whatever one of them does."""

import subprocess
import sys
from pathlib import Path

MAKEFILE = """
first:
\t@echo first begins; sleep 0.3; echo first ends
fails:
\t@echo this one fails; exit 3
leaves:
\t@sleep 30 & echo $$! >left.pid; echo something is left behind
last:
\t@echo last
"""


def test_every_part_runs_with_its_output_in_one_piece_and_what_failed_is_named(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    script = Path(__file__).parent / "support" / "beside.py"

    ended = subprocess.run(
        [sys.executable, script, "2", "first", "fails", "leaves", "last"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
    )
    subprocess.run(["kill", (tmp_path / "left.pid").read_text().strip()], check=True)

    assert "first begins\nfirst ends\n" in ended.stdout
    assert "this one fails\n" in ended.stdout
    assert "something is left behind\n" in ended.stdout
    assert "last\n" in ended.stdout
    assert ended.returncode == 1
    assert ended.stderr == "failed: fails\n"
