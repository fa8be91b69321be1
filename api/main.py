"""The API's composition root: builds every part from the settings, and the application around them."""

import gc

# Before the imports, which make most of what a process keeps: see `freeze_startup_objects`.
if __name__ == "__main__":
    gc.disable()

import api.late_models  # noqa: F401  before FastAPI

# isort: split
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import Depends, FastAPI

from api.access.attempts import FailedAttempts
from api.access.audit_log import AuditLog
from api.access.keyring import Keyring
from api.access.keys_file import KeysFile
from api.access.quotas import Quotas
from api.access.running import refreshed_keyring
from api.console import routes as console
from api.context import Context
from api.corrections.service import CorrectionService
from api.doors import every_door
from api.feed.service import running_feed
from api.http import cross_origin, errors
from api.http.admin_side import AdminSide, require_admin_side
from api.http.auth import require_scope
from api.http.bodies import BodyFaultsMiddleware
from api.http.direct_protocol import bounded_protocol
from api.http.doorstep import doorstep_of
from api.http.openapi import DescribedApi
from api.http.origins import OriginsMiddleware
from api.http.proxies import ProxiesMiddleware
from api.http.query import QueryMiddleware
from api.http.refusals import HeadLimits
from api.http.request_id import RequestIdMiddleware
from api.http.traffic import Traffic, bound_socket_memory, traffic_limits
from api.jobs.owned_records import OwnedRecords
from api.jobs.running import running_jobs
from api.memory import memory_given_back
from api.metrics.counters import ApiMetrics
from api.metrics.gauges import LiveGauges
from api.metrics.log_limit import FewWarnings
from api.metrics.observation import ObservationMiddleware
from api.policies.service import running_policies
from api.queue.judging import Judging
from api.queue.running import running_path
from api.reviews.service import ReviewService
from api.reviews.store import ReviewStore
from api.routes import corrections, docs, feed, jobs, metrics, predict, reviews, status
from api.routes import policies as policies_routes
from api.routes.direct_predict import DirectPredict
from api.server import ACCEPTS_PER_ROUND, OrderlyServer, end_in_order, exit_s_of
from api.store_watch import running_store_watch
from shared.commands import kobert_command
from shared.corrections.store import CorrectionStore
from shared.errors import EXIT_CONFIG, KobertError, PortInUseError, SettingsError
from shared.inherited import inherited_listeners
from shared.interpreter import (
    freeze_startup_objects,
    give_large_buffers_back,
    limit_malloc_arenas,
    shorten_switch_interval,
    use_huge_pages,
)
from shared.listening import BACKLOG, open_all_listeners
from shared.log import configure_logging, get_logger
from shared.misspelt import misspelt
from shared.settings import Settings, load_settings
from shared.store_check import require_fit_store

log = get_logger(__name__)

DISTRIBUTION = "kobert-classifier"
DESCRIPTION = """한국어 텍스트를 분류합니다 (clean, curse, insult, hate …).

Classifies Korean text on small CPU machines. Errors on every route have one shape, `{"error": {…}}`, and every answer
carries an `X-Request-ID`.
"""
# The exit code of uvicorn when it cannot start.
STARTUP_FAILURE = 3


def create_app(settings: Settings) -> FastAPI:
    """Build the application; connections are opened when it starts.

    Raises:
        SettingsError: `REDIS_URL` is missing or not a Redis address.
    """
    if settings.redis_url is None:
        raise SettingsError(
            f"REDIS_URL is not set; the api needs the Redis that its workers use. {kobert_command('run')} starts both"
        )
    app = DescribedApi(
        title="kobert-classifier",
        version=version(DISTRIBUTION),
        description=DESCRIPTION,
        lifespan=_lifespan(settings, settings.redis_url),
        docs_url=None,
        redoc_url=None,
    )
    app.state.metrics = ApiMetrics()
    keys_file = None if settings.keys_file is None else KeysFile(settings.keys_file)
    is_required = settings.require_keys or keys_file is not None
    app.state.keyring = Keyring(settings.api_keys or (), is_required=is_required)
    app.state.keys_file = keys_file
    if keys_file is not None:
        app.state.keyring.load_file(keys_file.changed() or [])
    app.state.admin_side = AdminSide(settings.admin_port, frozenset(settings.closed_routes))
    app.state.failed_attempts = FailedAttempts(settings.max_wrong_keys_per_minute)
    _add_middleware(app, settings)
    errors.install(app)
    app.router.routes.insert(0, predict.FAST_ROUTE)
    app.include_router(status.router)
    app.include_router(metrics.router, dependencies=[Depends(require_admin_side("metrics"))])
    app.include_router(docs.router, dependencies=[Depends(require_admin_side("docs"))])
    app.include_router(console.router)
    app.include_router(predict.router, dependencies=[Depends(require_scope("predict"))])
    app.include_router(jobs.router)
    app.include_router(policies_routes.router)
    app.include_router(corrections.router)
    app.include_router(reviews.router)
    app.include_router(feed.router)
    every_door.include(app)
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """From the innermost to the outermost: the log line has the request's id, and the host is checked as it came."""
    app.add_middleware(BodyFaultsMiddleware, require_valid=app.state.keyring.require_valid)
    app.add_middleware(QueryMiddleware)
    cross_origin.install(app, settings.cors_origins)
    app.add_middleware(ProxiesMiddleware, trusted=settings.trusted_proxies, root_path=settings.root_path)
    app.add_middleware(
        OriginsMiddleware,
        is_open=app.state.keyring.may_be_open,
        allowed_hosts=(settings.host, *settings.allowed_hosts),
        allowed_origins=settings.cors_origins,
    )
    app.add_middleware(ObservationMiddleware, metrics=app.state.metrics)
    app.add_middleware(RequestIdMiddleware)


def _lifespan(settings: Settings, redis_url: str) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            running_path(settings, redis_url) as path,
            running_policies(settings, path.redis, path.fleet.check_options) as policies,
            refreshed_keyring(app.state.keyring, path.redis, app.state.keys_file),
            running_jobs(settings, path, policies.book, app.state.keyring) as jobs_service,
            running_feed(settings, jobs_service, path.redis, app.state.keyring) as feed_service,
            running_store_watch(settings, redis_url) as store_watch,
            memory_given_back(),
        ):
            reviews_store, corrections_store = ReviewStore(jobs_service.redis), CorrectionStore(jobs_service.redis)
            corrections_service = CorrectionService(
                corrections_store, settings, jobs_service.run, lambda: app.state.keyring.has_several_owners
            )
            app.state.quotas = quotas = Quotas(path.redis)
            app.state.context = Context(
                settings,
                path.dispatcher,
                path.fleet,
                Judging(settings, path.dispatcher, path.fleet, quotas, policies.book),
                policies,
                path.publisher,
                jobs_service,
                OwnedRecords(path.redis, settings),
                corrections_service,
                ReviewService(reviews_store, jobs_service, corrections_service, feed_service, settings),
                feed_service,
                app.version,
                time.time(),
                store_watch,
                AuditLog(path.redis),
            )
            _warn_if_open(app.state.keyring)
            app.state.metrics.watch(LiveGauges(path.redis, path.fleet, path.dispatcher, app.version))
            freeze_startup_objects()
            # Copying takes some hundredths of a second, so it is not waited for.
            threading.Thread(target=use_huge_pages, name="huge-pages", daemon=True).start()
            log.info("api_ready", process_id=path.process_id, workers=len(path.fleet.workers))
            yield

    return lifespan


def _warn_if_open(keyring: Keyring) -> None:
    if keyring.may_be_open():
        command = kobert_command("keys", "add", "NAME")
        advice = f"add a key ({command}), or let only clients that you trust reach this port"
        log.warning("api_is_open", advice=advice)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: as `create_app`.
        StoreUnfitError: the store would lose jobs, and STORE_CHECKS is `refuse`.
        StartupError: nothing can listen on `HOST` and `PORT`, or on ADMIN_HOST and ADMIN_PORT.
    """
    require_fit_store(settings, log)
    shorten_switch_interval()
    app = create_app(settings)
    traffic = Traffic(traffic_limits(settings))
    answering_s = settings.shutdown_timeout_s - exit_s_of(settings.shutdown_timeout_s)
    config = uvicorn.Config(
        app,
        http=doorstep_of(
            bounded_protocol(
                HeadLimits(settings.max_header_bytes, settings.max_headers),
                traffic,
                DirectPredict(app, settings),
            )
        ),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # ours are read by ProxiesMiddleware
        timeout_keep_alive=settings.keep_alive_s,
        backlog=BACKLOG,
        timeout_graceful_shutdown=answering_s,  # type: ignore[arg-type]  # goes to asyncio.wait_for
    )
    # It has a line for each request that is not HTTP.
    logging.getLogger("uvicorn.error").addFilter(FewWarnings())
    server = OrderlyServer(config, traffic, settings.shutdown_timeout_s)
    end_in_order(server)
    server.run(_listeners(settings))
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _listeners(settings: Settings) -> list[socket.socket]:
    # A supervisor may hold the sockets, so that connections wait, and are not refused, while this process restarts.
    listeners = inherited_listeners(os.environ, os.getpid()) or open_all_listeners(settings.listen_addresses)
    for listener in listeners:
        bound_socket_memory(listener)
    # The event loop takes one connection from each in a round, however many wait.
    return [
        listener if number == 0 else listener.dup() for listener in listeners for number in range(ACCEPTS_PER_ROUND)
    ]


def main() -> int:
    """Run the API with settings from the environment; returns the exit code."""
    limit_malloc_arenas()
    give_large_buffers_back()
    try:
        settings = load_settings()
        configure_logging(settings, "api")
        for name, meant in misspelt(os.environ):
            log.warning("setting_misspelt", name=name, advice=f"{name} is no setting and does nothing; {meant} is one")
        serve(settings)
    except PortInUseError as error:
        sys.stderr.write(f"kobert api: {error.message}\n")
        return STARTUP_FAILURE
    except KobertError as error:
        sys.stderr.write(f"kobert api: {error.message}\n")
        return EXIT_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main())
