"""A response of a file that nobody needs afterwards."""

import asyncio
from http import HTTPStatus
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable, Response
from starlette.types import Receive, Scope, Send

from api.http import errors


class TemporaryFileResponse(FileResponse):
    """Deletes its file in any case: the framework's background task does not run where a range is refused."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or the part of it that is asked for."""
        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await super().__call__(scope, receive, send)
            else:
                await refusal(scope, receive, send)
        finally:
            await asyncio.to_thread(Path(self.path).unlink)

    def _refusal(self, scope: Scope) -> Response | None:
        """What to say to a range that lies behind the end; one that cannot be read is as if it were not there."""
        headers = Headers(scope=scope)
        if "range" not in headers or "if-range" in headers:
            return None
        size = Path(self.path).stat().st_size
        try:
            self._parse_range_header(headers["range"], size)
        except MalformedRangeHeader:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"range"]
        except RangeNotSatisfiable:
            status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            body = errors.make_body("range_not_satisfiable", f"the file has {size:,} bytes", status)
            return errors.respond(body, status, {"Content-Range": f"bytes */{size}"})
        return None
