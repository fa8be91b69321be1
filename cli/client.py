"""Talks to a running service over HTTP, with the standard library alone: uploads and downloads are streams."""

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from shared.errors import KobertError, UnavailableError

TIMEOUT_S = 120
READ_BYTES = 1 << 16


class ServiceClient:
    """One service. Every method raises `KobertError` with the service's own sentence when it refuses."""

    def __init__(self, url: str, api_key: str | None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401  JSON
        """The JSON of a GET."""
        return self._json("GET", path, query)

    def post(self, path: str) -> Any:  # noqa: ANN401  JSON
        """The JSON of a POST without a body."""
        return self._json("POST", path, {})

    def delete(self, path: str) -> Any:  # noqa: ANN401  JSON
        """The JSON of a DELETE."""
        return self._json("DELETE", path, {})

    def upload(self, path: str, file: IO[bytes], size_bytes: int, query: Mapping[str, object]) -> Any:  # noqa: ANN401  JSON
        """POST a file as the body, read in pieces."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
        response = self._request("POST", path, query, file, headers)
        return json.loads(response.read())

    def download(self, path: str, **query: object) -> Iterator[bytes]:
        """The body of a GET in pieces.

        Raises:
            UnavailableError: it broke off before its end.
        """
        response = self._request("GET", path, query)
        try:
            while piece := response.read(READ_BYTES):
                yield piece
        except (http.client.HTTPException, OSError) as error:
            raise UnavailableError("the download broke off; ask again for what is missing") from error

    def _json(self, method: str, path: str, query: Mapping[str, object]) -> Any:  # noqa: ANN401  JSON
        return json.loads(self._request(method, path, query).read())

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        given = {name: value for name, value in query.items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        connection = self._connection()
        try:
            connection.request(method, target, body, {**self._headers, **(headers or {})})
            response = connection.getresponse()
        except (http.client.HTTPException, OSError) as error:
            raise UnavailableError(
                f"{self._url} does not answer ({type(error).__name__}); is the service running? (--url)"
            ) from error
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise KobertError(_sentence(response))
        return response

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise KobertError(f"--url {self._url} is no address; write http://host:port")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=TIMEOUT_S)


def _sentence(response: http.client.HTTPResponse) -> str:
    try:
        return str(json.loads(response.read())["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the service answered with status {response.status}"
