"""The application whose OpenAPI names a key only where one is needed."""

from typing import Any

from fastapi import FastAPI, Request, Response

from api.access.keyring import Keyring
from api.http.admin_side import require_admin_side


class DescribedApi(FastAPI):
    """FastAPI, with `state.keyring` and `state.admin_side` set by the composition root."""

    _is_without_keys = False

    def setup(self) -> None:
        """Put the OpenAPI behind the same check as its pages."""
        super().setup()
        (route,) = self.router.routes
        show: Any = route.endpoint  # type: ignore[attr-defined]  # FastAPI adds a plain Starlette route
        self.router.routes.clear()

        async def show_openapi(request: Request) -> Response:
            await require_admin_side("docs")(request)
            response: Response = await show(request)
            return response

        self.add_route(str(self.openapi_url), show_openapi, include_in_schema=False)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI of the service as it is set up; built once, and again when the first key is added."""
        keyring: Keyring = self.state.keyring
        if self.openapi_schema is None or keyring.may_be_open() != self._is_without_keys:
            self.openapi_schema = None
            self._is_without_keys = keyring.may_be_open()
            schema = super().openapi()
            if self._is_without_keys:
                _leave_out_security(schema)
        return super().openapi()


def _leave_out_security(schema: dict[str, Any]) -> None:
    schema.get("components", {}).pop("securitySchemes", None)
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
            operation["responses"].pop("401", None)
