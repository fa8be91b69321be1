"""`/docs` and `/redoc`: the OpenAPI as pages. Their scripts come from this service, so they work without internet."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI, Request
from fastapi import Path as PathParam
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, Response

from api.http.proxies import root_path_of
from shared.errors import NotFoundError

# The package carries the released files of Swagger UI (Apache-2.0) and ReDoc (MIT).
_FOLDER = Path(str(files("fastapi_offline").joinpath("static")))
FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
FILES_PATH = "/docs/files"
# Their names stay the same when the package is updated, so a browser must ask again now and then.
_CACHE = {"Cache-Control": "public, max-age=3600"}

router = APIRouter(include_in_schema=False)


@router.head("/docs")
@router.get("/docs")
async def show_swagger(request: Request) -> HTMLResponse:
    """The API to try out, with Swagger UI."""
    base = root_path_of(request)
    app: FastAPI = request.app
    return get_swagger_ui_html(
        openapi_url=f"{base}{app.openapi_url}",
        title=app.title,
        swagger_js_url=f"{base}{FILES_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{base}{FILES_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{base}{FILES_PATH}/favicon.png",
        # A key that was typed in survives a reload of the page.
        swagger_ui_parameters={"persistAuthorization": True},
    )


@router.head("/redoc")
@router.get("/redoc")
async def show_redoc(request: Request) -> HTMLResponse:
    """The API to read, with ReDoc."""
    base = root_path_of(request)
    app: FastAPI = request.app
    return get_redoc_html(
        openapi_url=f"{base}{app.openapi_url}",
        title=app.title,
        redoc_js_url=f"{base}{FILES_PATH}/redoc.standalone.js",
        redoc_favicon_url=f"{base}{FILES_PATH}/favicon.png",
        with_google_fonts=False,
    )


@router.get(FILES_PATH + "/{name}")
async def show_file(name: Annotated[str, PathParam()]) -> Response:
    """A script, style or picture of the pages."""
    if name not in FILES:
        raise NotFoundError("the pages have no such file", param="name")
    return FileResponse(_FOLDER / name, headers=_CACHE, media_type=FILES[name])
