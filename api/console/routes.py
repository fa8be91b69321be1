"""`/console` and its files. The page talks to the public routes only."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.console.files import PAGE, ConsoleFile, console_files
from api.http.proxies import root_path_of
from shared.errors import NotFoundError

router = APIRouter(include_in_schema=False)

# Nothing is loaded from elsewhere, and no script or style stands in the page itself. Names and texts of users are shown
# by the page's library as text, never as markup; this is the second line of defence.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Vary": "Accept, Accept-Encoding",
}
# Put where the page's own address may have a path before it, which only the request tells.
_BASE_MARK = b'<base href="/">'


def wants_page(request: Request) -> bool:
    """Whether a browser asks, which prefers HTML; programs ask for JSON or for anything."""
    return "text/html" in request.headers.get("accept", "")


@router.head("/console")
@router.get("/console")
async def show_console(request: Request) -> Response:
    """The page."""
    return console_page(request)


def console_page(request: Request) -> Response:
    """The page, whose links begin at the service's own address."""
    base = f'<base href="{escape(root_path_of(request))}/">'.encode()
    content = console_files()[PAGE].content.replace(_BASE_MARK, base)
    return Response(content, media_type="text/html", headers=_PAGE_HEADERS)


@router.head("/console/files/{name:path}")
@router.get("/console/files/{name:path}")
async def show_console_file(name: Annotated[str, Path()], request: Request) -> Response:
    """A script, style or example of the page."""
    file = console_files().get(name)
    if file is None or name == PAGE:
        raise NotFoundError("the console has no such file", param="name")
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff",
               "Vary": "Accept-Encoding"}  # fmt: skip
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return _send(file, request, headers)


def _send(file: ConsoleFile, request: Request, headers: dict[str, str]) -> Response:
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.content, media_type=file.media_type, headers=headers)
