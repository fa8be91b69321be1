"""A process goes on with the Lua scripts that its code knows, whatever an upgrade puts in their place meanwhile."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
AFTER = """
import sys
opened = []
sys.addaudithook(lambda event, words: opened.append(str(words[0])) if event == "open" else None)
import {module}
print(*(path for path in opened if path.endswith(".lua")))
"""


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("shared.access.key_store", "shared/access"),
        ("shared.corrections.store", "shared/corrections"),
        ("shared.jobs.scripts", "shared/jobs"),
        ("shared.policies.scripts", "shared/policies"),
        ("api.access.quotas", "api/access"),
        ("api.feed.writer", "api/feed"),
        ("api.reviews.store", "api/reviews"),
    ],
)
def test_all_scripts_of_a_package_are_read_when_it_is_imported(module: str, package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER.format(module=module)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    read = {Path(path).name for path in done.stdout.split() if f"{package}/lua/" in path}

    assert read == {path.name for path in (ROOT / package / "lua").glob("*.lua")}
