"""The application whose OpenAPI names a key only where one is needed."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from api.access.keyring import Keyring
from api.http.admin_side import require_admin_side
from api.http.refusals import REFUSALS
from api.http.schemas import SCHEMA_REF, ErrorReply

_MAX_PATHS = 8


class DescribedApi(FastAPI):
    """FastAPI, with `state.keyring` and `state.admin_side` set by the composition root."""

    _is_without_keys = False

    def setup(self) -> None:
        """Serve the OpenAPI behind the same check as its pages. It is large: rendered once for each path of a proxy."""
        rendered: dict[str, bytes] = {}
        rendered_from: Any = None

        async def answer(request: Request) -> Response:
            nonlocal rendered_from
            await require_admin_side("docs")(request)
            schema = self.openapi()
            if schema is not rendered_from or len(rendered) > _MAX_PATHS:
                rendered.clear()
                rendered_from = schema
            path = request.scope.get("root_path", "").rstrip("/")
            if path not in rendered:
                servers = {"servers": [{"url": path}, *schema.get("servers", [])]} if path else {}
                rendered[path] = bytes(JSONResponse({**schema, **servers}).body)
            return Response(rendered[path], media_type="application/json")

        self.add_route(str(self.openapi_url), answer, include_in_schema=False)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI of the service as it is set up; built once, and again when the first key is added."""
        keyring: Keyring = self.state.keyring
        if self.openapi_schema is None or keyring.may_be_open() != self._is_without_keys:
            self.openapi_schema = None
            self._is_without_keys = keyring.may_be_open()
            schema = super().openapi()
            _add_errors(schema)
            _add_refusals(schema)
            if self._is_without_keys:
                _leave_out_security(schema)
        return super().openapi()


def _add_errors(schema: dict[str, Any]) -> None:
    """Add the schemas that the error replies of all routes refer to."""
    reply = ErrorReply.model_json_schema(ref_template=SCHEMA_REF)
    parts = {**reply.pop("$defs"), ErrorReply.__name__: reply}
    components = schema.setdefault("components", {})
    components["schemas"] = dict(sorted((parts | components.get("schemas", {})).items()))


def _add_refusals(schema: dict[str, Any]) -> None:
    """Add to every operation the answers that the connection gives before there is a route."""
    content = {"application/json": {"schema": {"$ref": SCHEMA_REF.format(model=ErrorReply.__name__)}}}
    schema["components"]["responses"] = {
        f"Refused{status}": {"description": HTTPStatus(status).phrase, "content": content} for status in REFUSALS
    }
    for operations in schema["paths"].values():
        for operation in operations.values():
            for status in REFUSALS:
                operation["responses"].setdefault(str(status), {"$ref": f"#/components/responses/Refused{status}"})


def _leave_out_security(schema: dict[str, Any]) -> None:
    schema.get("components", {}).pop("securitySchemes", None)
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
            operation["responses"].pop("401", None)
