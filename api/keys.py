"""`kobert keys`, and `python -m api.keys` in the container of the API: who may use a service.

It works on the store itself, where the service reads its keys. There is no HTTP route that makes a key: whoever can
reach the store runs the service, and nobody else needs to.
"""

import getpass
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from redis import Redis
from redis.exceptions import RedisError

from api.access.holdings import HoldingsReader
from api.access.keys_file import parse_keys, read_keys_file
from shared import keys as redis_keys
from shared import redis_faults, redis_url
from shared.access import audit
from shared.access.key_store import KeyStore
from shared.access.records import SCOPES, KeyLimits, KeyRecord, digest_of, new_secret, new_webhook_secret
from shared.commands import kobert_command
from shared.errors import KobertError, StartupError
from shared.settings import load_settings

REDIS_TIMEOUT_S = 5
_NAME = re.compile(r"[\w.@-]{1,64}")
_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}
_LIMITS = tuple(KeyLimits.__struct_fields__)
FOREVER = "never"


class Duration(click.ParamType[int]):
    """A number with a unit, `90d`, `12h` or `30m`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401  as click calls it
        """The seconds."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([mhd])", str(value).strip().lower())
        if found is None and value != "0":
            self.fail(f"{value!r} is no duration; write 30m, 12h, 90d or 0", param, ctx)
        return 0 if found is None else int(found[1]) * _UNITS_S[found[2]]


def _limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One option for each field of `KeyLimits`."""
    helps = {
        "requests_per_minute": "Requests a minute.",
        "texts_per_minute": "Texts of /predict a minute.",
        "bytes_per_day": "Bytes of request bodies in 24 hours.",
        "open_jobs": "Jobs that have not ended.",
    }
    for name in reversed(_LIMITS):
        option = click.option(f"--{name.replace('_', '-')}", type=click.IntRange(min=1), help=helps[name])
        command = option(command)
    return command


_scope_option = click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it may do; may be given several times."
)
_expires_option = click.option("--expires", type=Duration(), help="End after 90d, 12h or 30m. Unset: it does not.")


@click.group()
def keys() -> None:
    """Make and end the API keys of a service; each change takes effect within a second.

    The service is that of this folder (DATA_DIR), or the one on REDIS_URL.
    """


@keys.command()
@click.argument("name")
@_scope_option
@_expires_option
@click.option("--webhook-secret", is_flag=True, help="Sign the key's webhooks with a secret of its own, shown once.")
@_limit_options
def add(name: str, scopes: tuple[str, ...], *, expires: int | None, webhook_secret: bool, **limits: int | None) -> None:
    """Make a key for NAME and show it, once. Without --scope it may predict and run jobs."""
    if not _NAME.fullmatch(name):
        raise KobertError("a name has 1 to 64 letters, digits and _ . @ -, such as board1 or shop@example.com")
    now = int(time.time())
    draft = KeyRecord(
        id="",
        name=name,
        scopes=_ordered(scopes or ("predict", "jobs")),
        secrets=(),
        created_at=now,
        expires_at=None if expires is None else now + expires,
        limits=KeyLimits(**limits),
        webhook_secret=new_webhook_secret() if webhook_secret else None,
    )
    with _store() as store:
        is_first = not store.all()
        record, secret = store.add(draft)
    _show_secret(record, secret)
    if record.webhook_secret is not None:
        click.echo(f"Its webhooks are signed with: {record.webhook_secret}", err=True)
    if is_first and not load_settings().api_keys:
        click.echo("This is the first key: from now on the service answers nobody without one.", err=True)


@keys.command()
@click.argument("name")
@_scope_option
@click.option("--expires", type=Duration(), help="End after 90d, 12h or 30m. Unset: it does not.")
@_limit_options
def table(name: str, scopes: tuple[str, ...], *, expires: int | None, **limits: int | None) -> None:
    """Write a table for KEYS_FILE to standard output, and its new key to standard error; no store is asked."""
    secret = new_secret()
    end = None if expires is None else datetime.fromtimestamp(int(time.time()) + expires, UTC)
    given = {limit: str(value) for limit, value in limits.items() if value is not None}
    fields = {
        "sha256": json.dumps(digest_of(secret)),
        "scopes": json.dumps(_ordered(scopes or ("predict", "jobs"))),
        **({} if end is None else {"expires": end.isoformat(timespec="seconds")}),
        **given,
    }
    shown = "\n".join([f"[{name}]", *(f"{field} = {value}" for field, value in fields.items()), ""])
    parse_keys("this table", shown)
    click.echo(shown)
    click.echo(f"{name}: this is its key. It is not shown again.\n{secret}", err=True)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_keys(*, as_json: bool) -> None:
    """Show all keys, without their secrets, and what each has stored."""
    path = load_settings().keys_file
    of_file = [] if path is None else read_keys_file(path)
    with _redis() as redis:
        store, reader = KeyStore(redis, f"operator:{_operator()}"), HoldingsReader(redis)
        records = [*store.all(), *of_file]
        holdings = {record.id: reader.of(record.id, record.id) for record in records}
        left = {record.id: reader.left(record.id, record.limits) for record in records}
    now = time.time()
    for record in records:
        shown = {
            **_describe(record, now),
            "holds": msgspec.structs.asdict(holdings[record.id]),
            "left": left[record.id],
        }
        click.echo(json.dumps(shown) if as_json else _line(shown))
    if not records and not as_json:
        click.echo(f"There are no keys. Make one: {kobert_command('keys', 'add', 'NAME')}", err=True)


@keys.command()
@click.argument("name")
@click.option(
    "--grace", type=Duration(), default="0", help="How long the present secret still works: 24h. Default: not."
)
def rotate(name: str, grace: int) -> None:
    """Give the key NAME (or an id) another secret and show it, once. Its jobs stay its own."""
    with _store() as store:
        record, secret = store.rotate(name, grace)
    _show_secret(record, secret)


@keys.command()
@click.argument("name")
@_scope_option
@_limit_options
def change(name: str, scopes: tuple[str, ...], **limits: int | None) -> None:
    """Give the key NAME (or an id) other scopes or limits; what is not named stays."""
    given = {limit: value for limit, value in limits.items() if value is not None}

    def changed(record: KeyRecord) -> KeyRecord:
        limited = msgspec.structs.replace(record.limits, **given)
        return msgspec.structs.replace(record, scopes=_ordered(scopes) or record.scopes, limits=limited)

    with _store() as store:
        click.echo(_line(_describe(store.change(name, changed), time.time())))


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End the key NAME (or an id) for good. Its jobs run on, and nobody can read them."""
    with _store() as store:
        record = store.revoke(name)
    click.echo(f"{record.id} {record.name} is revoked", err=True)


@keys.command("audit")
@click.option("--limit", type=click.IntRange(1, audit.MAX_ENTRIES), default=100, show_default=True)
def show_audit(limit: int) -> None:
    """Show who changed or deleted what, newest first, as one JSON object a line."""
    with _redis() as redis:
        entries: Any = redis.xrevrange(redis_keys.ACCESS_AUDIT, count=limit)
    for entry_id, fields in entries:
        click.echo(json.dumps(audit.describe(entry_id, fields), ensure_ascii=False))


def _show_secret(record: KeyRecord, secret: str) -> None:
    """The secret alone goes to standard output, for a script to keep."""
    click.echo(f"{record.id} {record.name}: this is its key. It is not shown again.", err=True)
    click.echo(secret)


def _describe(record: KeyRecord, now: float) -> dict[str, Any]:
    state = "revoked" if record.revoked_at is not None else "valid" if record.is_valid(now) else "expired"
    return {
        "id": record.id,
        "name": record.name,
        "state": state,
        "scopes": list(record.scopes),
        "begins_with": [secret.hint for secret in record.secrets],
        "created_at": _date(record.created_at),
        "expires_at": FOREVER if record.expires_at is None else _date(record.expires_at),
        "limits": {name: value for name, value in msgspec.structs.asdict(record.limits).items() if value is not None},
        "signs_webhooks": record.webhook_secret is not None,
    }


def _line(shown: dict[str, Any]) -> str:
    limits = ", ".join(f"{name}={value:,}" for name, value in shown["limits"].items()) or "no limits"
    begins = ", ".join(f"{hint}…" for hint in shown["begins_with"]) or "-"
    scopes = ",".join(shown["scopes"])
    line = (
        f"{shown['id']}  {shown['name']}  {shown['state']}  {scopes}  {begins}  until {shown['expires_at']}  {limits}"
    )
    return line if "holds" not in shown else f"{line}  {_held(shown['holds'], shown['left'])}"


def _held(holds: dict[str, int], left: dict[str, int]) -> str:
    parts = [
        f"stores {holds['stored_bytes']:,} bytes",
        f"{holds['open_jobs']:,} open jobs",
        f"{holds['policies']:,} policies of {holds['policy_bytes']:,} bytes",
        f"{holds['corrections']:,} corrections of {holds['correction_bytes']:,} bytes",
        *(f"{value:,} {name} left" for name, value in left.items()),
    ]
    return ", ".join(parts)


def _date(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _ordered(scopes: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(scope for scope in SCOPES if scope in scopes)


@contextmanager
def _store() -> Iterator[KeyStore]:
    with _redis() as redis:
        yield KeyStore(redis, f"operator:{_operator()}")


def _operator() -> str:
    """The user of this process; a container may run under a number that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


@contextmanager
def _redis() -> Iterator[Redis]:
    """The store of the service.

    Raises:
        StartupError: none is known, or it does not answer.
    """
    settings = load_settings()
    url = settings.redis_url or redis_url.of_embedded(settings.data_dir)
    if url is None:
        raise StartupError(
            f"no service has its data in {settings.data_dir}: start it first (make run), "
            "or name its store with REDIS_URL"
        )
    try:
        with Redis.from_url(url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S) as redis:
            yield redis
    except (RedisError, OSError) as error:
        if settings.redis_url is None:
            raise StartupError(
                f"the service of {settings.data_dir} is not running: start it first (make run)"
            ) from error
        raise StartupError(redis_faults.explain(url, error)) from error


def main() -> None:
    """Run the command as `python -m api.keys`."""
    try:
        keys(prog_name="python -m api.keys")
    except KobertError as error:
        raise SystemExit(f"kobert keys: {error.message}") from error


if __name__ == "__main__":
    main()
