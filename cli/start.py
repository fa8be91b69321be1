"""The start of the whole service on one machine: what is checked first, and what its processes are told."""

import asyncio
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import click

from bundles.format import Bundle
from bundles.sources.resolver import resolve
from cli import preflight
from cli.early import EarlyProcess
from cli.progress import TerminalProgress
from cli.service import Service
from cli.store import EmbeddedStore
from shared import redis_url
from shared.inherited import inherited_listeners
from shared.listening import open_all_listeners
from shared.settings import Settings, load_settings

_MIB = 1 << 20


def start(options: Mapping[str, object], early: Mapping[str, EarlyProcess]) -> None:
    """Start the service with these settings on top of the environment's, and keep it running until Ctrl-C.

    Raises:
        KobertError: a setting, or something on this machine, is wrong.
    """
    settings = load_settings(**{name: value for name, value in options.items() if value is not None})
    click.echo(f"kobert {version('kobert-classifier')}: starting")
    with ExitStack() as resources:
        store = None if settings.redis_url else _embedded_store(settings, resources)
        listeners = inherited_listeners(os.environ, os.getpid())
        if not listeners:
            for host, port, _ in settings.listen_addresses:
                preflight.require_free_port(host, port)
        _check(settings, store)
        environment = _child_environment(settings, store)
        listeners = listeners or open_all_listeners(settings.listen_addresses)
        for listener in listeners:
            resources.enter_context(listener)
        asyncio.run(_serve(settings, store, environment, early, listeners))


async def _serve(
    settings: Settings,
    store: EmbeddedStore | None,
    environment: dict[str, str],
    early: Mapping[str, EarlyProcess],
    listeners: Sequence[socket.socket],
) -> None:
    await Service(settings, store, environment, early, listeners).run_until_stopped()


def _embedded_store(settings: Settings, resources: ExitStack) -> EmbeddedStore:
    resources.enter_context(preflight.exclusive_data_dir(settings.data_dir))
    runtime_dir = resources.enter_context(tempfile.TemporaryDirectory(prefix="kobert-"))
    return EmbeddedStore(settings, Path(runtime_dir))


def _check(settings: Settings, store: EmbeddedStore | None) -> None:
    with TerminalProgress() as progress:
        bundle = resolve(settings, progress)
    _announce_model(bundle)
    if store is None and settings.redis_url is not None:
        from cli.own_redis import require_redis  # noqa: PLC0415  not needed by the embedded store

        warnings = require_redis(settings.redis_url, settings.store_checks)
        click.echo(f"  store    {redis_url.redact(settings.redis_url)}")
        for warning in warnings:
            click.echo(f"note: {warning}", err=True)
    elif store is not None:
        click.echo(f"  store    embedded Valkey, data in {store.data_dir}")


def _announce_model(bundle: Bundle) -> None:
    size_mib = bundle.graph_bytes / _MIB
    labels = ", ".join(bundle.config.labels)
    click.echo(f"  model    {bundle.config.name} {bundle.revision} ({size_mib:.1f} MB): {labels}")


def _child_environment(settings: Settings, store: EmbeddedStore | None) -> dict[str, str]:
    """What the children read: our own environment, with the options given and the store's address on top."""
    chosen = {
        "HOST": settings.host,
        "PORT": str(settings.port),
        "WORKERS": str(settings.workers),
        "DATA_DIR": str(settings.data_dir.absolute()),
        "REDIS_URL": settings.redis_url or (store.url if store is not None else ""),
        "MODEL": settings.model or "",
    }
    return {**os.environ, **chosen}
