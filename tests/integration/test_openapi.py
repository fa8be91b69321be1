"""The running service, held to its OpenAPI by schemathesis: every check, no server error, no violation of a schema.

Some 150 cases; KOBERT_SCHEMA_EXAMPLES says how many a route, with the boundaries of every value besides, and
`make nightly` takes 250. With KOBERT_SCHEMA_CASES it goes on with other seeds until there were so many in all:
`make schema-cases` takes 20,000.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import ROOT, Stack, running_stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(0)]

EXAMPLES = int(os.environ.get("KOBERT_SCHEMA_EXAMPLES", "10"))
CASES = int(os.environ.get("KOBERT_SCHEMA_CASES", "3000" if EXAMPLES >= 250 else "100"))
IS_LONG = EXAMPLES > 10
# The boundaries of every value are the same each time.
ONCE, AGAIN = "examples,coverage,fuzzing,stateful" if IS_LONG else "examples,fuzzing,stateful", "fuzzing,stateful"
KEY = "secret"
PATIENCE_S = "240"
# Of a line of its output: a command that repeats a request may have a hundred thousand.
SHOWN_CHARS = 1_000


@pytest.fixture(scope="module")
def closed(echo_bundle: Path) -> Iterator[Stack]:
    settings: dict[str, Any] = {
        "api_keys": KEY,
        "webhook_secret": "s",
        "max_open_jobs": 1_000_000,
        "root_path": "/kobert",
    }
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, max_wrong_keys_per_minute=6_000, **settings) as running,
    ):
        yield running


def test_the_service_does_what_its_openapi_says(closed: Stack, tmp_path: Path) -> None:
    cases, seed = 0, None if IS_LONG else 1
    while cases < CASES:
        cases += generated_cases(closed, tmp_path, AGAIN if cases else ONCE, seed)
        sys.stdout.write(f"{cases:,} cases\n")

    assert "unhandled_error" not in closed.logs()


def generated_cases(service: Stack, folder: Path, phases: str, seed: int | None) -> int:
    """How many cases a run of these phases made; it fails if one of them found a fault."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "tests/support/schemathesis.toml")),
        *("run", f"{service.url}/openapi.json", "--url", f"{service.url}/kobert", "--checks", "all"),
        *("--phases", phases, "--max-examples", str(EXAMPLES), "--header", f"Authorization: Bearer {KEY}"),
        # A busy machine is no fault of the service.
        *("--request-timeout", PATIENCE_S, "--max-response-time", PATIENCE_S, "--suppress-health-check", "all"),
        *(() if seed is None else ("--seed", str(seed))),
    ]
    # It keeps what failed in its working folder.
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    shown = "\n".join(line[:SHOWN_CHARS] for line in done.stdout.splitlines())
    assert done.returncode == 0, shown[-20_000:] + done.stderr[-2_000:]
    cases = re.search(r"(\d[\d,]*) generated", done.stdout)
    assert cases is not None
    return int(cases[1].replace(",", ""))
