"""Lists what the service is made of: build/sbom.json (CycloneDX) and build/third-party-notices.txt.

Usage, as `make sbom`: python deploy/supply/sbom.py PYTHON

The list is that of requirements/run.lock, with the hash of every file. The notices are the licence texts that the
packages bring, read from the environment of PYTHON, where `make run` has installed them.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "run.lock"
OUTPUT = ROOT / "build"
TOOLS = Path(sys.executable).parent


def locked_names() -> list[str]:
    """Names of the packages that the lock pins."""
    return re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==", LOCK.read_text(), re.MULTILINE)


def main() -> None:
    """Write both files."""
    OUTPUT.mkdir(exist_ok=True)
    bill, notices = OUTPUT / "sbom.json", OUTPUT / "third-party-notices.txt"
    list_parts = [TOOLS / "cyclonedx-py", "requirements", LOCK, "--pyproject", ROOT / "pyproject.toml"]
    subprocess.run([*list_parts, "--output-format", "JSON", "--output-file", bill], check=True)  # noqa: S603
    read_licences = [TOOLS / "pip-licenses", f"--python={sys.argv[1]}", "--packages", *locked_names()]
    form = ["--from=mixed", "--with-urls", "--with-license-file", "--no-license-path", "--with-notice-file"]
    form += ["--format=plain-vertical", f"--output-file={notices}"]
    subprocess.run([*read_licences, *form], check=True)  # noqa: S603
    sys.stdout.write(f"{bill.relative_to(ROOT)}\n{notices.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
