"""Keeps web pages of others away from a service without keys, which answers whoever reaches it.

A browser on this machine or in this network reaches it too, for every page that it has open. Two ways in are closed: a
name of the attacker's that suddenly stands for this address (DNS rebinding), by a list of host names, and a form or
script of another site that sends something here (CSRF), by what the browser says of where a request comes from. The
second is the algorithm of Go's http.CrossOriginProtection (https://words.filippo.io/csrf). With API_KEYS neither is
needed: a page has no key.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import errors
from shared.errors import ForbiddenError

_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
_OWN_SITE = frozenset(("same-origin", "none"))
_LOCAL = ("localhost", "*.localhost")
_PORT = re.compile(r":\d*$")


class Hosts:
    """The names under which the service may be reached: those of the settings, and those that no stranger can own."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._patterns = (*_LOCAL, *(host.lower() for host in allowed))

    def allow(self, host: str) -> bool:
        """Whether no attacker can own the name: an address, a name without a dot, or one that the settings list."""
        name = host_name(host)
        is_of_network = "." not in name and name.isascii()
        return is_of_network or _is_address(name) or any(_matches(name, pattern) for pattern in self._patterns)


class OriginsMiddleware:
    """Pure ASGI, inside the middleware that gives a request its id. It checks while `is_open` says so."""

    def __init__(
        self,
        app: ASGIApp,
        is_open: Callable[[], bool],
        allowed_hosts: Sequence[str],
        allowed_origins: Collection[str],
    ) -> None:
        self._app = app
        self._is_open = is_open
        self._hosts = Hosts(allowed_hosts)
        self._origins = allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and self._is_open():
            refusal = self._refusal(scope["method"], Headers(scope=scope))
            if refusal is not None:
                await errors.respond_to(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> ForbiddenError | None:
        host = headers.get("host", "")
        if not self._hosts.allow(host):
            return ForbiddenError(
                f"this service is not known as {host}: reach it by its IP address, or add the name to ALLOWED_HOSTS "
                "(or set API_KEYS, which need no list)",
                code="host_not_allowed",
            )
        if method not in _SAFE_METHODS and self._is_of_another_site(headers, host):
            return ForbiddenError(
                "a page of another site may not send this: name its origin in CORS_ORIGINS, or set API_KEYS",
                code="cross_origin",
            )
        return None

    def _is_of_another_site(self, headers: Headers, host: str) -> bool:
        origin = headers.get("origin", "")
        if "*" in self._origins or origin.lower() in self._origins:
            return False
        site = headers.get("sec-fetch-site", "")
        if site:
            return site not in _OWN_SITE
        # An old browser, or a page without TLS. Programs that are not browsers send neither header.
        if not origin:
            return False
        own = {host.lower(), headers.get("x-forwarded-host", "").lower()} - {""}
        # A sandboxed page sends `null`, which is never our own origin.
        return _netloc(origin) not in own


def host_name(host: str) -> str:
    """The name or address in a Host header, without port, brackets and a dot at its end."""
    return _PORT.sub("", host.strip().lower()).removeprefix("[").removesuffix("]").removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _matches(name: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return pattern in {"*", name}


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return ""
