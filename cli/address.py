"""The address of a service as a user writes it: `http://host:port`, with the prefix of a proxy if it has one."""

from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, quote, urlsplit

from shared.errors import KobertError

# What may stand in a path as it is; anything else is escaped.
_PATH_CHARS = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True)
class Address:
    """Where a service is. `prefix` is put before every path: empty, or `/something` without a slash at its end."""

    url: str
    is_secure: bool
    host: str
    port: int | None
    prefix: str

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read an address.

        Raises:
            KobertError: it cannot be one; the sentence says what is wrong.
        """
        url = url.strip()
        if any(character.isspace() or not character.isprintable() for character in url):
            _refuse(url, "has a space or a control character")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise KobertError(_sentence(url, f"is no address ({error})")) from error
        _check(url, parts)
        host = parts.hostname or ""
        prefix = quote(parts.path.rstrip("/"), safe=_PATH_CHARS)
        return cls(url.rstrip("/"), parts.scheme == "https", host, port, prefix)


def _check(url: str, parts: SplitResult) -> None:
    if parts.scheme not in {"http", "https"}:
        _refuse(url, "does not begin with http:// or https://")
    if not parts.hostname:
        _refuse(url, "names no host")
    if parts.username is not None:
        _refuse(url.replace(parts.netloc, parts.netloc.rpartition("@")[2]), "had a user or password, which is not sent")
    if parts.query or parts.fragment:
        _refuse(url, "has a ? or # part, which an address has not")


def _refuse(url: str, what: str) -> NoReturn:
    raise KobertError(_sentence(url, what))


def _sentence(url: str, what: str) -> str:
    return f"the address {url!r} {what}; write http://host:port or https://host/prefix (--url, KOBERT_URL)"
