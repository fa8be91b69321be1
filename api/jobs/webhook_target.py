"""Checks where a webhook may go: an http(s) URL on the public network, and the IP address to connect to.

Guards against server-side request forgery (OWASP): schemes and ports are those of a list, every address of the name
is checked, and the connection goes to one of them, so that a name which answers differently the second time (DNS
rebinding) gains nothing. A name that leads to a private address and one that leads nowhere are refused with the same
words, so that nobody can ask here which names a private network has.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from shared.errors import MalformedRequestError
from shared.settings import Settings

MAX_URL_CHARS = 2_000
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What may stand in a path or query as it is; anything else is escaped, a % that is there already stays.
_PATH_CHARS = "/%:@!$&'()*+,;=~-._?"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Public by their number, and inside a cloud all the same: Azure's host agent, Oracle's metadata.
_OF_CLOUDS = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192")))
# For protocols, a dummy among them, and for relays of the past; versions of Python differ in what of it is global.
_RESERVED = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))
# What IPv6 is given out from; the rest is local, reserved, or one of the forms of IPv4 below.
_UNICAST = ipaddress.IPv6Network("2000::/3")
# Forms of an IPv4 address in IPv6, with the bits behind it: mapped, compatible and translated (RFC 4291, 2765), NAT64
# (RFC 6052), 6to4 (RFC 3056).
_EMBEDDED = tuple(
    (ipaddress.IPv6Network(network), shift)
    for network, shift in (
        ("::ffff:0:0/96", 0),
        ("::/96", 0),
        ("::ffff:0:0:0/96", 0),
        ("64:ff9b::/96", 0),
        ("2002::/16", 80),
    )
)
# A tunnel to an IPv4 address (Teredo), documentation, and NAT64 of one's own network.
_NOT_PUBLIC = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20", "64:ff9b:1::/48")))


class DeliveryError(Exception):
    """Raised when a webhook was not taken; its sentence is shown in the job object."""


@dataclass(frozen=True)
class WebhookTarget:
    """A checked URL; connect to `ip`, and ask for `host`."""

    scheme: str
    host: str
    port: int
    path: str
    ip: str


def look_up(host: str, port: int) -> list[Address]:
    """Every address of a name; none where nobody knows it. May wait for a name server for long."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def resolve_webhook(
    url: str, settings: Settings, addresses_of: Callable[[str, int], list[Address]] = look_up
) -> WebhookTarget:
    """Look the address up, with `addresses_of` its host and port.

    Raises:
        MalformedRequestError: it is not allowed, or leads nowhere.
    """
    parts, port = _split(url)
    host = parts.hostname or ""
    _check_scheme_and_port(parts.scheme, port, settings)
    addresses = addresses_of(host, port)
    if not addresses or not (settings.webhook_allow_private or all(map(is_public, addresses))):
        raise MalformedRequestError(
            f"webhook_url: {host[:100]} is unknown, or on a private network (WEBHOOK_ALLOW_PRIVATE=true allows those)",
            param="webhook_url",
        )
    path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_PATH_CHARS)
    return WebhookTarget(parts.scheme, host, port, path, str(addresses[0]))


def is_public(address: Address) -> bool:
    """Whether an address, and each IPv4 address that it stands for, is one of the public network."""
    if address in _OF_CLOUDS or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in _RESERVED)
    embedded = list(_embedded(address))
    if embedded:
        return all(map(is_public, embedded))
    return address in _UNICAST and address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = _DEFAULT_PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError as error:
        raise MalformedRequestError(f"webhook_url is no address: {error}", param="webhook_url") from error
    is_plain = len(url) <= MAX_URL_CHARS and url.isprintable() and " " not in url and "\\" not in url
    if not is_plain or not parts.hostname or parts.username is not None:
        raise MalformedRequestError(
            "webhook_url must be https://host/path or http://host/path, without a user, a password, a space or a "
            f"backslash, in {MAX_URL_CHARS:,} characters at most",
            param="webhook_url",
        )
    return parts, port


def _check_scheme_and_port(scheme: str, port: int, settings: Settings) -> None:
    if scheme not in settings.webhook_schemes:
        shown = " or ".join(f"{name}://" for name in settings.webhook_schemes)
        raise MalformedRequestError(f"webhook_url must begin with {shown} (WEBHOOK_SCHEMES)", param="webhook_url")
    ports = settings.allowed_webhook_ports()
    if not port or (ports is not None and port not in ports):
        shown = "1 to 65535" if ports is None else ", ".join(map(str, sorted(ports)))
        raise MalformedRequestError(f"webhook_url: port {port} is none of {shown} (WEBHOOK_PORTS)", param="webhook_url")


def _embedded(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    for network, shift in _EMBEDDED:
        if address in network:
            yield ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
