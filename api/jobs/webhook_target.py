"""Checks where a webhook may go: an http(s) URL on the public network, and the IP address to connect to.

Prevents server-side request forgery (OWASP): every address of the host is checked, and the connection goes to one of
these, so a host that resolves differently the second time (DNS rebinding) gains nothing.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.errors import MalformedRequestError
from shared.settings import Settings

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class WebhookTarget:
    """A checked URL; connect to `ip`, and ask for `host`."""

    scheme: str
    host: str
    port: int
    path: str
    ip: str


def check_webhook_url(url: str, settings: Settings) -> None:
    """Refuse a URL to which no webhook could be delivered.

    Raises:
        MalformedRequestError: WEBHOOK_SECRET is not set, or the address is not allowed. A host that cannot be resolved
            is accepted, because that may change before the job ends.
    """
    if settings.webhook_secret is None:
        raise MalformedRequestError("webhooks are off here: WEBHOOK_SECRET is not set", param="webhook_url")
    try:
        resolve_webhook(url, allow_private=settings.webhook_allow_private)
    except OSError:
        return


def resolve_webhook(url: str, *, allow_private: bool) -> WebhookTarget:
    """Resolve the host.

    Raises:
        MalformedRequestError: it is not allowed.
        OSError: the name cannot be resolved.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise MalformedRequestError(f"webhook_url is not a URL: {error}", param="webhook_url") from error
    if not port or not parts.hostname or parts.username is not None:
        raise MalformedRequestError(
            "webhook_url must be https://host/path or http://host/path, without a password", param="webhook_url"
        )
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise MalformedRequestError("webhook_url has a host that can be no name", param="webhook_url") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and not all(map(_is_public, addresses)):
        raise MalformedRequestError(
            f"webhook_url: {parts.hostname} is on a private network (WEBHOOK_ALLOW_PRIVATE=true allows that)",
            param="webhook_url",
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookTarget(parts.scheme, parts.hostname, port, path, addresses[0])


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    embedded = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (embedded is None or embedded.is_global)
