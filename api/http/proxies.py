"""Who asked and under which address, as a trusted proxy in front of the service says it.

A proxy's `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` become the client, the scheme, the host and the root path
of the request, so that links lead back through the proxy. From anybody else they are ignored: everybody can send them.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.addresses import parse_networks, parse_prefix

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?")
# Proxies in a row that are listened to. A stranger can send a header of thousands, to which a proxy adds one.
MAX_HOPS = 20
FORWARDED_HEADERS = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix")


class ProxiesMiddleware:
    """Pure ASGI. `root_path` is the prefix of requests whose proxy names none."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str], root_path: str) -> None:
        self._app = app
        self._proxies = Proxies(trusted, root_path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under the address that its client used."""
        if scope["type"] == "http":
            # In place: what is outside reads the route from the same scope.
            scope.update(self._proxies.seen_from_outside(scope))
        await self._app(scope, receive, send)


class Proxies:
    """The proxies that are trusted; `root_path` is the prefix of requests whose proxy names none."""

    def __init__(self, trusted: Sequence[str], root_path: str) -> None:
        self._trusted = parse_networks(trusted)
        self._root_path = root_path

    def seen_from_outside(self, scope: Scope) -> dict[str, Any]:
        """What of a request's scope is different for its client."""
        headers = Headers(scope=scope)
        seen: dict[str, Any] = {}
        prefix = None
        if any(name in headers for name in FORWARDED_HEADERS) and self._is_trusted((scope.get("client") or ("",))[0]):
            prefix = _forwarded_prefix(headers)
            seen = self._forwarded(headers)
        if prefix is not None:
            # Whoever sends the prefix has taken it off the path.
            seen |= _under(prefix, scope, is_stripped=True)
        elif self._root_path:
            is_stripped = not f"{scope['path']}/".startswith(f"{self._root_path}/")
            seen |= _under(self._root_path, scope, is_stripped=is_stripped)
        return seen

    def _forwarded(self, headers: Headers) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        if scheme := next((name for name in _values(headers, "proto") if name in {"http", "https"}), None):
            seen["scheme"] = scheme
        if client := self._client(_values(headers, "for", are_last=True)):
            seen["client"] = (client, 0)
        if (hosts := _values(headers, "host")) and _HOST.fullmatch(hosts[0]):
            others = [(name, value) for name, value in headers.raw if name != b"host"]
            seen["headers"] = [(b"host", hosts[0].encode()), *others]
        return seen

    def _client(self, hops: Sequence[str]) -> str | None:
        """The last address that no trusted proxy has: what stands before it may be made up."""
        addresses = [_address(hop) for hop in hops]
        strangers = (address for address in reversed(addresses) if not self._is_trusted(address))
        return next(strangers, addresses[0] if addresses else None)

    def _is_trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return any(ip.version == network.version and ip in network for network in self._trusted)


def root_path_of(request: Request) -> str:
    """The prefix under which the client reaches the service: empty, or `/something`."""
    root_path: str = request.scope.get("root_path", "")
    return root_path


def _values(headers: Headers, name: str, *, are_last: bool = False) -> list[str]:
    """What the proxies said, the outermost first: the first `MAX_HOPS` values, or the last ones."""
    joined = ",".join(headers.getlist(f"x-forwarded-{name}"))
    values = joined.rsplit(",", MAX_HOPS)[-MAX_HOPS:] if are_last else joined.split(",", MAX_HOPS)[:MAX_HOPS]
    return [value.strip() for value in values if value.strip()]


def _forwarded_prefix(headers: Headers) -> str | None:
    """The prefixes that the proxies have taken off, one after the other; None where none is a path."""
    values = _values(headers, "prefix")
    try:
        return "".join(map(parse_prefix, values)) if values else None
    except ValueError:
        return None


def _under(prefix: str, scope: Scope, *, is_stripped: bool) -> dict[str, Any]:
    path = prefix + scope["path"] if is_stripped else scope["path"]
    return {"root_path": prefix, "path": path}


def _address(hop: str) -> str:
    """`1.2.3.4`, `1.2.3.4:56`, `::1` or `[::1]:56` without its port."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
