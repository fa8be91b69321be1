"""Commands for a reader to type, spelled so that they work where this program was started."""

import shlex
import shutil
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def kobert_command(*words: str | Path) -> str:
    """`kobert` with arguments: by its bare name where the shell finds this one, else by its path (.venv/bin/kobert)."""
    return " ".join([_program("kobert"), *(shlex.quote(str(word)) for word in words)])


def serving_command(model: str | Path) -> str:
    """What serves a model."""
    return f"MODEL={shlex.quote(str(model))} {kobert_command('run')}"


def install_command(extra: str) -> str:
    """What installs an optional part, with the pinned versions where this runs from a clone."""
    if not (_ROOT / "pyproject.toml").is_file():
        return f"{_program('pip')} install 'kobert-classifier[{extra}]'"
    clone = _shown(_ROOT)
    constraints = shlex.quote(str(clone / "constraints.txt"))
    return f"{_program('pip')} install --constraint {constraints} --editable {shlex.quote(f'{clone}[{extra}]')}"


def _program(name: str) -> str:
    own = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and Path(found).absolute() == own.absolute():
        return name
    return shlex.quote(str(_shown(own))) if own.is_file() else name


def _shown(path: Path) -> Path:
    """The path from the working folder, where it lies in there."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except (ValueError, OSError):
        return path.absolute()
