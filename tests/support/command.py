"""The command `kobert` in this process, with a clean environment and what it wrote."""

import subprocess
from pathlib import Path

from click.testing import CliRunner

from cli.commands import kobert

_UNSET = {"KOBERT_URL": None, "KOBERT_API_KEY": None, "NO_COLOR": None}


def run_command(
    *words: str | Path, piped: bytes = b"", **environment: str | None
) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end with `piped` as standard input."""
    ended = CliRunner(env={**_UNSET, **environment}).invoke(kobert, [str(word) for word in words], input=piped)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return subprocess.CompletedProcess(words, ended.exit_code, ended.stdout_bytes, ended.stderr_bytes)
