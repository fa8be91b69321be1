"""Networks and path prefixes as settings and proxies write them."""

import ipaddress
import re
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
EVERYBODY: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
MAX_PREFIX_CHARS = 200
# Only what needs no escaping: the prefix becomes a part of links and of the pages' scripts.
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


def parse_networks(names: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks in CIDR form; `*` is everybody, `none` nobody.

    Raises:
        ValueError: one is neither.
    """
    networks: list[Network] = []
    for name in names:
        if name == "*":
            networks.extend(EVERYBODY)
        elif name.lower() != "none":
            networks.append(ipaddress.ip_network(name, strict=False))
    return tuple(networks)


def parse_prefix(text: str) -> str:
    """A path before every route, without a slash at its end: empty, or `/something`.

    Raises:
        ValueError: it has other characters than a link takes unescaped, or a step such as `..`.
    """
    prefix = "/" + text.strip("/") if text.strip("/") else ""
    steps = prefix.split("/")[1:]
    if len(prefix) > MAX_PREFIX_CHARS or any(step in {".", ".."} for step in steps):
        raise ValueError("it is too long, or has a step `..`")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ValueError("write a path such as /kobert, of letters, digits and ._~-")
    return prefix


def parse_origin(text: str) -> str:
    """An origin as a browser sends it, `https://example.com` or `http://localhost:3000`; or `*`.

    Raises:
        ValueError: it has a path, or no scheme.
    """
    origin = text.lower().rstrip("/")
    if origin != "*" and not _ORIGIN.fullmatch(origin):
        raise ValueError(f"{text} is no origin; write https://example.com, without a path, or *")
    return origin
