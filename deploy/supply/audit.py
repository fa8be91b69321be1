"""Looks up known vulnerabilities of what `make run` installs; says plainly when it could not.

Usage, as `make audit`: python deploy/supply/audit.py

Exit codes: 0, none is known; 1, there are some, listed; 2, it could not be looked up, which says nothing either way.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "run.lock"
CLEAN, VULNERABLE, UNKNOWN = range(3)
TIMEOUT_S = "15"


def main() -> int:
    """Run pip-audit on the lock; returns the exit code."""
    tool = str(Path(sys.executable).parent / "pip-audit")
    how = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--timeout", TIMEOUT_S, "--format", "json"]
    command = [tool, "--requirement", str(LOCK), *how]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        dependencies = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        sys.stderr.write(ended.stderr[-2_000:])
        sys.stderr.write("NOT LOOKED UP: the list of vulnerabilities could not be asked. This is no all-clear.\n")
        return UNKNOWN
    return report(dependencies)


def report(dependencies: list[dict]) -> int:
    """Print what is known; returns the exit code."""
    skipped = [found["name"] for found in dependencies if "skip_reason" in found]
    known = [(found, fault) for found in dependencies for fault in found.get("vulns", [])]
    for found, fault in known:
        fixed = ", ".join(fault["fix_versions"]) or "no version yet"
        sys.stdout.write(f"{found['name']} {found['version']}: {fault['id']}, fixed in {fixed}\n")
    if skipped:
        sys.stdout.write(f"NOT LOOKED UP: {', '.join(skipped)}\n")
    sys.stdout.write(f"{len(dependencies) - len(skipped)} packages looked up, {len(known)} vulnerabilities known\n")
    if known:
        return VULNERABLE
    return UNKNOWN if skipped else CLEAN


if __name__ == "__main__":
    sys.exit(main())
