"""Keys from KEYS_FILE, for people who keep their configuration in files: read at the start and whenever it changes.

The file is TOML, a table for each key, with the SHA-256 of its secret and never the secret:

    [board1]
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    scopes = ["predict", "jobs"]
    texts_per_minute = 600
"""

import re
import time
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from datetime import time as clock_time
from pathlib import Path
from typing import Any

from shared.access.records import SCOPES, KeyLimits, KeyRecord, Scope, Secret
from shared.errors import SettingsError

# A list of two digests lets the old secret work until everybody has the new one.
MAX_DIGESTS = 5
# A file changed so short a time before it was read may be half written, and its time may not tell the next change.
SETTLED_S = 2.0
_ID_PREFIX = "file_"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LIMITS = tuple(KeyLimits.__struct_fields__)
_FIELDS = ("sha256", "scopes", "expires", *_LIMITS, "webhook_secret")
_DEFAULT_SCOPES: tuple[Scope, ...] = ("predict", "jobs")
_DIGEST_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class KeysFile:
    """Looks whether the file has changed, at the cost of one `stat`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, ...] | None = None

    def changed(self) -> list[KeyRecord] | None:
        """All keys of the file if it may have changed since the last look, else None.

        Raises:
            SettingsError: as `read_keys_file`.
        """
        try:
            found = self.path.stat()
        except OSError as error:
            self._seen = None
            raise SettingsError(f"KEYS_FILE={self.path} cannot be read: {error.strerror}") from error
        seen = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)
        if seen == self._seen:
            return None
        records = read_keys_file(self.path)
        self._seen = seen if time.time() - found.st_mtime > SETTLED_S else None
        return records


def read_keys_file(path: Path) -> list[KeyRecord]:
    """The keys in a TOML file.

    Raises:
        SettingsError: the file cannot be read, or a key in it cannot work; names the key and the field, no digest.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"KEYS_FILE={path} cannot be read: {error}") from error
    return parse_keys(f"KEYS_FILE={path}", text)


def parse_keys(source: str, text: str) -> list[KeyRecord]:
    """The keys in the text of such a file; errors begin with `source`.

    Raises:
        SettingsError: as `read_keys_file`.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source} is not TOML: {error}") from error
    records = [_record(f"{source}: key {name!r}", name, table) for name, table in tables.items()]
    _require_different_secrets(source, records)
    return records


def _record(where: str, name: str, table: Any) -> KeyRecord:  # noqa: ANN401  any TOML value
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{where} has a name that is none; use up to 64 letters, digits, _ and -")
    if not isinstance(table, dict):
        raise SettingsError(f"{where} must be a table: [{name}]")
    unknown = next((field for field in table if field not in _FIELDS), None)
    if unknown is not None:
        raise SettingsError(f"{where} has a field {unknown!r}; the fields are {', '.join(_FIELDS)}")
    return KeyRecord(
        id=f"{_ID_PREFIX}{name}",
        name=name,
        scopes=_scopes(where, table.get("scopes", list(_DEFAULT_SCOPES))),
        secrets=tuple(Secret(digest, "") for digest in _digests(where, table.get("sha256"))),
        created_at=0,
        expires_at=_moment(where, table.get("expires")),
        limits=_limits(where, table),
        webhook_secret=_webhook_secret(where, table.get("webhook_secret")),
    )


def _digests(where: str, given: object) -> list[str]:
    digests = [given] if isinstance(given, str) else given
    if not isinstance(digests, list) or not 1 <= len(digests) <= MAX_DIGESTS:
        raise SettingsError(f"{where} needs sha256, a digest or a list of up to {MAX_DIGESTS}")
    for digest in digests:
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest.lower()):
            raise SettingsError(f"{where} has a sha256 that is not 64 hexadecimal digits; sha256sum writes them")
        if digest.lower() == _DIGEST_OF_NOTHING:
            raise SettingsError(f"{where} has the sha256 of an empty secret")
    return [digest.lower() for digest in digests]


def _scopes(where: str, given: object) -> tuple[Scope, ...]:
    if not isinstance(given, list) or not given or any(scope not in SCOPES for scope in given):
        raise SettingsError(f"{where}: scopes is a list of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in given)


def _moment(where: str, given: object) -> int | None:
    """A date ends at its beginning, here; a time without an offset is one of this machine."""
    if given is None:
        return None
    if isinstance(given, datetime):
        return int(given.timestamp())
    if isinstance(given, date):
        return int(datetime.combine(given, clock_time.min).timestamp())
    raise SettingsError(f"{where}: expires is a date such as 2027-01-31, without quotes")


def _limits(where: str, table: Mapping[str, object]) -> KeyLimits:
    given = {name: table[name] for name in _LIMITS if name in table}
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SettingsError(f"{where}: {name} is a whole number from 1")
    return KeyLimits(**{name: value for name, value in given.items() if isinstance(value, int)})


def _webhook_secret(where: str, given: object) -> str | None:
    if given is None or (isinstance(given, str) and given):
        return given
    raise SettingsError(f"{where}: webhook_secret is a string")


def _require_different_secrets(source: str, records: list[KeyRecord]) -> None:
    holders: dict[str, str] = {}
    for record in records:
        for secret in record.secrets:
            other = holders.setdefault(secret.digest, record.name)
            if other != record.name:
                raise SettingsError(f"{source}: keys {other!r} and {record.name!r} have the same secret")
