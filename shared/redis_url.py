"""Converts `REDIS_URL` to the spelling that each library wants, and hides its password in logs.

redis-py says `unix:///path?db=0` for a socket where kombu says `redis+socket:///path?virtual_host=0`.
"""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

from shared.errors import SettingsError

SCHEMES = ("redis", "rediss", "unix")


def check(url: str) -> str:
    """Return `url` if this service can use it.

    Raises:
        SettingsError: another scheme, or no host or path.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not (parts.hostname or parts.path.strip("/")):
        raise SettingsError(
            f"{redact(url)!r} is not a Redis address; "
            "write redis://host:6379/0, rediss://host:6379/0 or unix:///path/to.sock"
        )
    return url


def for_celery(url: str) -> str:
    """A checked address in kombu's spelling."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"


def embedded_file(data_dir: Path) -> Path:
    """Where `kobert run` writes the address of its embedded store, for commands on the same machine."""
    return data_dir / "store" / "url"


def of_embedded(data_dir: Path) -> str | None:
    """The address of the embedded store that has its data there, or had last; None if there is none to be read."""
    try:
        return embedded_file(data_dir).read_text().strip()
    except OSError:
        return None


def redact(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
