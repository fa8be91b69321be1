"""The API's composition root: builds every part from the settings, and the application around them."""

import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI
from redis.asyncio import Redis

from api import errors
from api.context import Context
from api.dispatcher import Dispatcher
from api.fleet import Fleet
from api.gauges import LiveGauges
from api.metrics import ApiMetrics
from api.observation import ObservationMiddleware
from api.publisher import Publisher
from api.reply_reader import BLOCK_MS, ReplyReader
from api.request_id import RequestIdMiddleware
from api.routes import metrics, predict, status
from shared.celery_app import make_celery
from shared.errors import EXIT_CONFIG, KobertError, SettingsError
from shared.log import configure_logging, get_logger
from shared.settings import Settings, load_settings

log = get_logger(__name__)

DISTRIBUTION = "kobert-classifier"
DESCRIPTION = """한국어 텍스트를 분류합니다 (clean, curse, insult, hate …).

Classifies Korean text on small CPU machines. Errors on every route have one shape, `{"error": {…}}`, and every answer
carries an `X-Request-ID`.
"""
REDIS_TIMEOUT_S = 2
# What uvicorn itself exits with when it cannot start.
STARTUP_FAILURE = 3


def create_app(settings: Settings) -> FastAPI:
    """Build the application; connections are opened when it starts.

    Raises:
        SettingsError: `REDIS_URL` is missing or no Redis address.
    """
    if settings.redis_url is None:
        raise SettingsError(
            "REDIS_URL is not set; the api needs the Redis that its workers use. `kobert run` starts both"
        )
    app = FastAPI(
        title="kobert-classifier",
        version=version(DISTRIBUTION),
        description=DESCRIPTION,
        lifespan=_lifespan(settings, settings.redis_url),
        redoc_url=None,
    )
    app.state.metrics = ApiMetrics()
    # The one added last is the outermost: the log line has the request's id.
    app.add_middleware(ObservationMiddleware, metrics=app.state.metrics)
    app.add_middleware(RequestIdMiddleware)
    errors.install(app)
    app.include_router(status.router)
    app.include_router(metrics.router)
    app.include_router(predict.router)
    return app


def _lifespan(settings: Settings, redis_url: str) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        process_id = uuid.uuid4().hex
        redis = Redis.from_url(redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S)
        # Its reads block on purpose, for longer than any other command may take.
        reply_redis = Redis.from_url(
            redis_url, socket_timeout=REDIS_TIMEOUT_S + BLOCK_MS / 1000, socket_connect_timeout=REDIS_TIMEOUT_S
        )
        fleet = Fleet(redis, settings.heartbeat_interval_s)
        publisher = Publisher(make_celery(settings, socket_timeout_s=REDIS_TIMEOUT_S))
        dispatcher = Dispatcher(settings, process_id, publisher, fleet)
        reader = ReplyReader(reply_redis, process_id, dispatcher.resolve, fleet.mark_store_lost)
        fleet.on_worker_lost = dispatcher.resend_pending
        app.state.context = Context(settings, dispatcher, fleet, app.version, time.time())
        app.state.metrics.watch(LiveGauges(redis, fleet, dispatcher, app.version))
        await fleet.start()
        reader.start()
        dispatcher.start()
        log.info("api_ready", process_id=process_id, workers=len(fleet.workers))
        try:
            yield
        finally:
            await dispatcher.close()
            await reader.close()
            await fleet.close()
            publisher.close()
            await reply_redis.aclose()
            await redis.aclose()

    return lifespan


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: as `create_app`.
    """
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_timeout_s),
    )
    server = uvicorn.Server(config)
    _end_in_order(server)
    server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _end_in_order(server: uvicorn.Server) -> None:
    """Make SIGTERM and SIGINT end this process with exit code 0.

    uvicorn takes the signals while it serves. Once it has shut down it raises the one it had again, from inside its
    event loop: being told to stop is no failure, and to leave from there can hang in uvloop for ever.
    """

    def leave_unless_served(*_: object) -> None:
        if not server.started:
            sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave_unless_served)


def main() -> int:
    """Run the API with the settings of the environment; returns the exit code."""
    try:
        settings = load_settings()
        configure_logging(settings, "api")
        serve(settings)
    except KobertError as error:
        sys.stderr.write(f"kobert api: {error.message}\n")
        return EXIT_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main())
