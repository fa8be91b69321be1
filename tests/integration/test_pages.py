"""The OpenAPI and its pages: complete, working without internet, and with the key that a closed service asks for."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.integration

KEY = {"authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def closed(echo_bundle: Path) -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, api_keys="secret", root_path="/kobert") as running,
    ):
        yield running


@pytest.mark.parametrize(("page", "script"), [("docs", "SwaggerUIBundle"), ("redoc", "Redoc")])
def test_a_page_loads_nothing_from_elsewhere(closed: Stack, stack: Stack, page: str, script: str) -> None:
    for running, base in ((stack, ""), (closed, "/kobert")):
        answer = httpx.get(f"{running.url}/{page}")
        loaded = re.findall(r"""(?:src|href)=["']([^"']+)["']""", answer.text)

        assert answer.status_code == 200
        assert loaded
        assert all(address.startswith(f"{base}/docs/files/") for address in loaded), loaded
        files = [httpx.get(running.url + address) for address in loaded]
        assert [file.status_code for file in files] == [200] * len(files)
        assert any(script in file.text for file in files)
        assert f"{base}/openapi.json" in answer.text


def test_only_the_files_of_the_pages_are_served(stack: Stack) -> None:
    for name in ("__init__.py", "..%2fcore.py", "%2e%2e%2fcore.py", "nothing.js", "..%2f..%2fsettings.py"):
        assert httpx.get(f"{stack.url}/docs/files/{name}").status_code == 404


def document(stack: Stack) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{stack.url}/openapi.json").json()
    return answer


def test_a_closed_service_has_a_security_scheme_on_each_route_that_needs_a_key(closed: Stack) -> None:
    schema = document(closed)
    ((name, scheme),) = schema["components"]["securitySchemes"].items()

    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            answer = httpx.request(method, closed.url + path.replace("{job_id}", "job_" + "0" * 24))
            needs_key = method == "post" or path not in {"/", "/health", "/ready", "/info"}
            assert (answer.status_code == 401) == needs_key, (method, path)
            assert operation.get("security") == ([{name: []}] if needs_key else None)
            # `/info` takes no key, and refuses a wrong one.
            assert ("401" in operation["responses"]) == (needs_key or path == "/info")
    assert httpx.post(f"{closed.url}/predict", json={"text": "글"}, headers=KEY).status_code == 200


def test_an_open_service_asks_for_no_key(stack: Stack) -> None:
    schema = document(stack)
    assert "securitySchemes" not in schema["components"]
    assert not any("security" in operation for path in schema["paths"].values() for operation in path.values())


def parameters(stack: Stack, method: str, path: str) -> set[str]:
    return {parameter["name"] for parameter in document(stack)["paths"][path][method].get("parameters", [])}


def test_every_parameter_of_a_query_is_listed(stack: Stack) -> None:
    results = {"job_id", "format", "cursor", "limit", "only", "partial", "safe", "label", "contains",
               "min_confidence", "max_confidence", "own_columns", "before", "last"}  # fmt: skip
    assert parameters(stack, "get", "/jobs/{job_id}/results") == results
    assert parameters(stack, "get", "/jobs/{job_id}/errors") == results
    assert parameters(stack, "get", "/jobs/{job_id}") == {"job_id", "wait"}
    assert parameters(stack, "get", "/jobs") == {"limit", "after"}


@pytest.mark.parametrize("query", ["frmat=csv", "format=doc", "only=all", "limit=0", "cursor=-1", "before=0",
                                   "last=true", "last=true&limit=1001", "limit=" + "9" * 5000, "partial=perhaps",
                                   "safe="])  # fmt: skip
def test_a_parameter_that_is_unknown_or_cannot_be_is_refused_by_name(stack: Stack, query: str) -> None:
    job = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"]}).json()["id"]
    for what in ("results", "errors"):
        answer = httpx.get(f"{stack.url}/jobs/{job}/{what}?partial=true&{query}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, query.partition("=")[0])
