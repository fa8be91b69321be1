"""The peers' virtual environments: made once with pinned versions, in a folder that git ignores."""

import subprocess
import sys

from bench.peers.contenders import CONTENDERS, Contender

_WHOLE = "requirements.txt"


def set_up(chosen: list[str]) -> list[str]:
    """Make what is missing. Returns the names of those that could not be made."""
    return [c.name for c in CONTENDERS if c.name in chosen and c.requirements and not _make(c)]


def _make(contender: Contender) -> bool:
    whole = contender.folder / _WHOLE
    wanted = "\n".join(contender.requirements)
    if whole.is_file() and whole.read_text() == wanted:
        return True
    sys.stderr.write(f"setting up {contender.name}: {' '.join(contender.requirements)}\n")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", contender.folder], check=False)  # noqa: S603
    pip = [str(contender.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if made.returncode or subprocess.run([*pip, *contender.requirements], check=False).returncode:  # noqa: S603
        sys.stderr.write(f"{contender.name} could not be set up; the others go on\n")
        return False
    whole.write_text(wanted)
    return True
