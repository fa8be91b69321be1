"""The application whose OpenAPI names a key only where one is needed."""

from typing import Any

from fastapi import FastAPI

from api.access.keyring import Keyring


class DescribedApi(FastAPI):
    """FastAPI, with `state.keyring` set by the composition root."""

    _is_without_keys = False

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
