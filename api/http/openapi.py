"""The application whose OpenAPI names a key only where one is needed."""

from typing import Any

from fastapi import FastAPI


class DescribedApi(FastAPI):
    """FastAPI, with `state.keyring` set by the composition root."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI of the service as it is set up; built once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            if self.state.keyring.is_open:
                _leave_out_security(schema)
        return super().openapi()


def _leave_out_security(schema: dict[str, Any]) -> None:
    schema.get("components", {}).pop("securitySchemes", None)
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
            operation["responses"].pop("401", None)
