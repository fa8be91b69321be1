"""Answers `/predict` straight from the connection, where a request has texts, and nothing else, and all are good.

What `api.routes.predict` does with every other request, this does with most, for a fraction of the processor's time: no
task, no layers, one write. It leaves to the framework what has options or faults (before anything was counted), except
that it refuses overload itself: refusals must stay cheap when there are many.
"""

import time
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache, partial
from http import HTTPStatus

import msgspec
from fastapi import FastAPI
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.access.keyring import Keyring
from api.access.principal import EVERYBODY, Principal
from api.context import Context
from api.feed import writer as feed
from api.http import errors
from api.http.caller import Caller
from api.http.direct import Exchange, ParsedExchange
from api.http.known_heads import Head
from api.http.origins import Hosts
from api.http.proxies import FORWARDED_HEADERS, Proxies
from api.http.request_id import choose_request_id
from api.http.request_record import RequestRecord
from api.http.texts import check_text
from api.http.timing import Stopwatch
from api.metrics.observation import CLIENT_CLOSED, Observer
from api.queue.judging import Item
from api.queue.pending import PendingRequest
from api.routes.predict import PATH, encode_answer
from shared.access.records import NO_LIMITS
from shared.errors import KobertError, OverloadedError
from shared.log import get_logger
from shared.settings import Settings
from shared.verdict import Verdict

log = get_logger(__name__)

# Larger bodies are read step by step, which needs a task.
MAX_BODY_BYTES = 32 * 1024
_MAX_LENGTH_DIGITS = 7
_JSON = frozenset((b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"))
# With one of these a request is not plain.
_SPECIAL = frozenset(
    (b"content-encoding", b"expect", b"origin", b"sec-fetch-site", b"transfer-encoding", b"x-forwarded-prefix")
)
_FORWARDED = frozenset(name.encode() for name in FORWARDED_HEADERS)
_HOSTS_KEPT = 256
_FEED_HEADER = feed.HEADER.encode()
_FEED_OFF = feed.OFF.encode()


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """Texts and nothing else."""

    text: str | msgspec.UnsetType = msgspec.UNSET
    texts: list[str] | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_Body).decode


class _Asked(msgspec.Struct):
    """A request that is being answered; `items` are its texts once they have been read."""

    exchange: Exchange
    principal: Principal
    record: RequestRecord
    request_id: str
    stopwatch: Stopwatch
    started: float
    items: list[Item] = []
    is_many: bool = False


class DirectPredict:
    """A `DirectService`. One per API process."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self._state = app.state
        self._keyring: Keyring = app.state.keyring
        self._observer = Observer(app.state.metrics)
        self._settings = settings
        self._paths = frozenset((PATH, settings.root_path + PATH))
        self._max_body_bytes = min(MAX_BODY_BYTES, settings.max_body_bytes)
        self._proxies = Proxies(settings.trusted_proxies, settings.root_path)
        self._is_host_allowed = lru_cache(_HOSTS_KEPT)(Hosts((settings.host, *settings.allowed_hosts)).allow)

    @cached_property
    def _context(self) -> Context:
        """What the application has from its start on."""
        context: Context = self._state.context
        return context

    def take(self, cycle: RequestResponseCycle, app: ASGI3Application) -> ParsedExchange | None:
        """The request, if it is for this route and its head has nothing special."""
        scope = cycle.scope
        if scope["path"] not in self._paths or scope["method"] != "POST":
            return None
        pairs = list(scope["headers"])
        headers = dict(pairs)
        if len(headers) != len(pairs) or not _SPECIAL.isdisjoint(headers):
            return None
        length = headers.get(b"content-length", b"")
        is_short = length.isdigit() and len(length) < _MAX_LENGTH_DIGITS and int(length) <= self._max_body_bytes
        if not is_short or headers.get(b"content-type") not in _JSON:
            return None
        # Whom a proxy forwards for depends on which proxy it is.
        head = Head(headers, int(length), is_lasting=_FORWARDED.isdisjoint(headers))
        return ParsedExchange(cycle, app, head, self._address(scope, head))

    def begin(self, exchange: Exchange) -> bool:
        """Send the texts to the workers, or refuse them when there is no room."""
        started = time.perf_counter()
        address = exchange.client
        headers = exchange.head.headers
        principal = self._principal(headers, address)
        if principal is None:
            return False
        request_id = choose_request_id(headers.get(b"x-request-id", b"").decode("latin-1"))
        record = RequestRecord(principal=principal)
        asked = _Asked(exchange, principal, record, request_id, Stopwatch(), started)
        caller = Caller(address if principal is EVERYBODY else principal.owner, exchange.presence)
        try:
            return self._ask(asked, caller)
        except OverloadedError as error:
            exchange.forget_body()
            self._refuse(asked, error)
            return True
        except (msgspec.DecodeError, UnicodeDecodeError, KobertError):
            # The framework will find the same, and answer it.
            return False

    def _ask(self, asked: _Asked, caller: Caller) -> bool:
        """Send the texts to the workers, if they are all fit.

        Raises:
            KobertError: one is not fit, or they are not accepted.
            DecodeError, UnicodeDecodeError: the body has not texts alone.
        """
        context = self._context
        context.dispatcher.require_room(caller.name)
        body = _decode(asked.exchange.body)
        asked.is_many = body.texts is not msgspec.UNSET
        asked.items = _items(body, self._settings)
        if not asked.items:
            return False
        texts = [str(item.value) for item in asked.items]
        pending = context.dispatcher.ask(texts, None, caller, asked.request_id)
        pending.on_over = partial(self._end, asked)
        asked.exchange.forget_body()
        return True

    def _principal(self, headers: Mapping[bytes, bytes], address: str) -> Principal | None:
        """Whom the request speaks for, as `api.http.auth` says it; None if anything is wrong, or has to be counted."""
        keyring = self._keyring
        if keyring.may_be_open() and not self._is_host_allowed(headers.get(b"host", b"").decode("latin-1")):
            return None
        if keyring.is_open:
            return EVERYBODY
        scheme, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        principal = keyring.find(secret.strip()) if scheme.lower() == "bearer" else None
        if principal is None or principal.limits is not NO_LIMITS or "predict" not in principal.scopes:
            return None
        is_slowed = principal.is_chosen and self._state.failed_attempts.wait_s(address)
        return None if is_slowed else principal

    def _address(self, scope: HTTPScope, head: Head) -> str:
        client = scope["client"]
        if not head.is_lasting:
            client = self._proxies.seen_from_outside(scope).get("client", client)  # type: ignore[arg-type]
        return client[0] if client else ""

    def _end(self, asked: _Asked, pending: PendingRequest) -> None:
        """Answer what the workers have answered, or what nobody waits for any more."""
        context = self._context
        try:
            replies = context.dispatcher.conclude(pending)
            judged = context.judging.conclude(asked.items, replies, asked.stopwatch)
            content = encode_answer(asked.items, judged.outcomes, is_many=asked.is_many, request_id=asked.request_id)
        except KobertError as error:
            self._refuse(asked, error)
        except Exception as error:
            log.exception("unhandled_error", error_type=type(error).__name__, request_id=asked.request_id)
            self._refuse(asked, KobertError("the server failed; the log names the cause"))
        else:
            judged.note(asked.record)
            self._feed(asked, judged.outcomes)
            self._answer(asked, HTTPStatus.OK, judged.header_lines(), content)

    def _feed(self, asked: _Asked, outcomes: Sequence[Verdict | KobertError]) -> None:
        """Note the texts for the live feed, where the settings and the request have it."""
        context = self._context
        if context.feed.writer is not None and asked.exchange.head.headers.get(_FEED_HEADER) != _FEED_OFF:
            context.feed.writer.note(asked.principal.owner, asked.items, outcomes)

    def _refuse(self, asked: _Asked, error: KobertError) -> None:
        asked.record.error_code = error.code
        body = errors.body_of(error, request_id=asked.request_id)
        lines = "".join(f"{name}: {value}\r\n" for name, value in errors.headers_of(error).items())
        self._answer(asked, errors.status_of(error), lines, errors.encode_body(body))

    def _answer(self, asked: _Asked, status: int, lines: str, content: bytes) -> None:
        asked.exchange.answer(status, f"{lines}x-request-id: {asked.request_id}\r\n".encode("latin-1"), content)
        code = CLIENT_CLOSED if asked.exchange.presence.is_lost else int(status)
        seconds = time.perf_counter() - asked.started
        self._observer.note("POST", PATH, code, seconds, asked.record, request_id=asked.request_id)


def _items(body: _Body, settings: Settings) -> list[Item]:
    """The texts, checked; none if it is not clear which they are, or if they are too many.

    Raises:
        TextRejectedError: one is not fit.
    """
    if isinstance(body.text, str):
        items = [Item(body.text, "text")] if body.texts is msgspec.UNSET else []
    elif isinstance(body.texts, list) and len(body.texts) <= settings.max_texts_per_request:
        items = [Item(text, f"texts[{place}]") for place, text in enumerate(body.texts)]
    else:
        items = []
    for item in items:
        check_text(item.value, item.name, settings.max_text_chars)
    return items
