"""Talks to a running service over HTTP, with the standard library alone: uploads and downloads are streams."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from cli.address import Address
from cli.uploads import Upload
from cli.wording import in_cli_words
from shared.errors import KobertError, ServiceRefusedError, UnavailableError

TIMEOUT_S = 120
READ_BYTES = 1 << 16
_NO_KEY = "the service wants an API key: set KOBERT_API_KEY to one of its keys, or give it with --key"
_WRONG_KEY = "the service does not know this API key (KOBERT_API_KEY, --key)"


@dataclass(frozen=True)
class _Request:
    """One request; query values of None are left out."""

    method: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    body: bytes | Iterator[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Path and query."""
        given = {name: value for name, value in self.query.items() if value is not None}
        return f"{self.path}?{urlencode(given)}" if given else self.path


class ServiceClient:
    """One service.

    Every method raises `ServiceRefusedError` with the service's own sentence when it refuses, and `UnavailableError`
    when it does not answer.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        self._address = Address.parse(url)
        self._api_key = _checked(api_key)

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401  JSON
        """The JSON of a GET."""
        return self._json(_Request("GET", path, query))

    def post(self, path: str, content: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401  JSON
        """The JSON of a POST, with a JSON body or none."""
        if content is None:
            return self._json(_Request("POST", path))
        # ASCII: half an emoji, or a byte that is not UTF-8, arrives as what it is and is refused by its item.
        body = json.dumps(content).encode("ascii")
        return self._json(_Request("POST", path, body=body, headers={"Content-Type": "application/json"}))

    def put(self, path: str, content: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401  JSON
        """The JSON of a PUT with a JSON body."""
        body = json.dumps(content).encode("ascii")
        given = {"Content-Type": "application/json", **(headers or {})}
        return self._json(_Request("PUT", path, body=body, headers=given))

    def delete(self, path: str) -> Any:  # noqa: ANN401  JSON
        """The JSON of a DELETE."""
        return self._json(_Request("DELETE", path))

    def upload(self, path: str, upload: Upload, query: Mapping[str, object]) -> Any:  # noqa: ANN401  JSON
        """POST a file as the body, read in pieces."""
        headers = {"Content-Type": "application/octet-stream"}
        if upload.size_bytes is None:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(upload.size_bytes)
        return self._json(_Request("POST", path, query, iter(upload), headers))

    def download(self, path: str, **query: object) -> Iterator[bytes]:
        """The body of a GET in pieces.

        Raises:
            UnavailableError: it broke off before its end.
        """
        with self._answer(_Request("GET", path, query)) as response:
            try:
                while piece := response.read(READ_BYTES):
                    yield piece
            except (http.client.HTTPException, OSError) as error:
                raise UnavailableError("the download broke off; ask again for what is missing") from error

    def _json(self, request: _Request) -> Any:  # noqa: ANN401  JSON
        with self._answer(request) as response:
            try:
                return json.loads(response.read())
            except ValueError as error:
                raise KobertError(self._stranger()) from error
            except (http.client.HTTPException, OSError) as error:
                raise UnavailableError(f"the answer of {self._address.url} broke off; try again") from error

    @contextmanager
    def _answer(self, request: _Request) -> Iterator[http.client.HTTPResponse]:
        """The reply to a request that was not refused; its connection is closed afterwards."""
        kind = http.client.HTTPSConnection if self._address.is_secure else http.client.HTTPConnection
        with closing(kind(self._address.host, self._address.port, timeout=TIMEOUT_S)) as connection:
            response = self._exchange(connection, request)
            if response.status >= http.HTTPStatus.MULTIPLE_CHOICES:
                raise self._refusal(response)
            yield response

    def _exchange(self, connection: http.client.HTTPConnection, request: _Request) -> http.client.HTTPResponse:
        headers = {**self._authorization(), **request.headers}
        try:
            _send(connection, replace(request, path=self._address.prefix + request.path, headers=headers))
            return connection.getresponse()
        except ssl.SSLError as error:
            raise UnavailableError(f"{self._address.url} {_tls_reason(error)}") from error
        except (http.client.HTTPException, OSError, UnicodeError) as error:
            raise UnavailableError(
                f"{self._address.url} does not answer ({_reason(error)}); is the service running there? "
                "(--url, KOBERT_URL)"
            ) from error

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}

    def _refusal(self, response: http.client.HTTPResponse) -> KobertError:
        status = response.status
        if status < http.HTTPStatus.BAD_REQUEST:
            there = response.headers.get("location", "another address")
            return KobertError(f"{self._address.url} sends on to {there}; use that address (--url, KOBERT_URL)")
        if status == http.HTTPStatus.UNAUTHORIZED:
            return ServiceRefusedError(_WRONG_KEY if self._api_key else _NO_KEY, status=status)
        try:
            error = json.loads(response.read())["error"]
            sentence = in_cli_words(str(error["message"]))
        except (ValueError, KeyError, TypeError, AttributeError, http.client.HTTPException, OSError):
            return ServiceRefusedError(f"{self._stranger()} (status {status})", status=status)
        after = response.headers.get("retry-after", "")
        retry_after_s = float(after) if after.isdecimal() else None
        return ServiceRefusedError(sentence, status=status, details=error, retry_after_s=retry_after_s)

    def _stranger(self) -> str:
        return f"{self._address.url} does not answer as this service does; is the address right? (--url, KOBERT_URL)"


def _send(connection: http.client.HTTPConnection, request: _Request) -> None:
    is_chunked = "Transfer-Encoding" in request.headers
    try:
        connection.request(request.method, request.target, request.body, request.headers, encode_chunked=is_chunked)
    except (BrokenPipeError, ConnectionResetError):
        # A service that refuses an upload answers in the middle of it, and says more than the broken pipe does.
        if connection.sock is None:
            raise


def _checked(api_key: str | None) -> str | None:
    key = (api_key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise KobertError("the API key has a character that no key has; copy it again (KOBERT_API_KEY, --key)")
    return key or None


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"has a certificate that is not trusted here ({error.verify_message}); "
            "name its authority's certificate with SSL_CERT_FILE=/path/to/ca.pem"
        )
    if error.reason == "WRONG_VERSION_NUMBER":
        return "does not speak TLS; write http:// instead of https://"
    return f"and this machine do not agree on TLS ({error.reason or error})"


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return "no such host is known here"
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
