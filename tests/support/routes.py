"""Every route of the API, as the application has them: also the doors, which its OpenAPI leaves out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from api.main import create_app
from shared.settings import Settings


class RouteOfApi(NamedTuple):
    """One method of one path; `path` has its parameters in braces."""

    method: str
    path: str

    @property
    def has_body(self) -> bool:
        """Whether a request may bring one that is read."""
        return self.method in {"POST", "PUT", "PATCH"}

    def filled(self, **values: str) -> str:
        """The path with values for its parameters; one without a value gets a name that nothing has."""
        path = self.path.replace(":path}", "}")
        for name in self.parameters:
            path = path.replace(f"{{{name}}}", values.get(name, "1" if name == "version" else "nothing"))
        return path

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters in its path."""
        return [piece.partition("}")[0].partition(":")[0] for piece in self.path.split("{")[1:]]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def every_route() -> list[RouteOfApi]:
    """Each once."""
    app = create_app(Settings(redis_url="redis://127.0.0.1:1/0"))
    found = {RouteOfApi(method, path) for methods, path in _flat(app.routes) for method in methods if method != "HEAD"}
    return sorted(found, key=lambda route: (route.path, route.method))


def _flat(routes: Sequence[Any], prefix: str = "") -> Iterator[tuple[Iterable[str], str]]:
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is not None:
            yield from _flat(router.routes, prefix + route.include_context.prefix)
        else:
            yield route.methods, prefix + route.path
