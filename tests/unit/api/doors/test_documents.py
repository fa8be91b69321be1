"""The pages about the doors, held to the routes and to the included model."""

import json
import re
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Route

from api.doors.every_door import ROUTERS
from api.doors.openai.categories import LABELS as CATEGORIES
from api.doors.perspective.scores import ATTRIBUTES
from api.doors.perspective.scores import LABELS as ATTRIBUTE_LABELS

ROOT = Path(__file__).resolve().parents[4]
# Where other discovery clients look first; a courtesy, not a promise.
UNDOCUMENTED = {"GET /discovery/v1/apis/commentanalyzer/v1alpha1/rest"}


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def shown(route: BaseRoute) -> str:
    assert isinstance(route, Route)
    (method,) = (route.methods or set()) - {"HEAD"}
    name = "id" if "/v1/" in route.path else "name"
    return f"{method} {re.sub(r'{[^}]*}', f'{{{name}}}', route.path)}"


@pytest.mark.parametrize("page", ["doors.md", "doors.ko.md"])
def test_every_route_of_a_door_is_in_the_table(page: str) -> None:
    routes = {shown(route) for router in ROUTERS for route in router.routes} - UNDOCUMENTED
    named = set(re.findall(r"`((?:GET|POST|DELETE) /[^` ]*)`", read(page)))

    assert named - {"POST /predict", "GET /info", "GET /health"} == routes


@pytest.mark.parametrize("page", ["doors.md", "doors.ko.md"])
def test_the_table_of_categories_is_complete(page: str) -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|$", read(page), re.MULTILINE)
    table = {name: labels for names, labels in rows for name in re.findall(r"`([a-z/-]+)`", names)}

    assert set(CATEGORIES) <= set(table)
    for name, labels in CATEGORIES.items():
        found = re.findall(r"`([a-z]+)`", table[name].replace("`category_applied_input_types`", ""))
        assert tuple(found) == labels, name


@pytest.mark.parametrize("page", ["perspective.md", "perspective.ko.md"])
def test_the_table_of_scores_has_the_thresholds_of_the_included_model(page: str) -> None:
    levels = json.loads((ROOT / "models" / "default" / "config.json").read_text())["strictness"]
    rows = re.findall(r"^\| `([A-Z_]+)` \| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", read(page), re.MULTILINE)

    assert {row[0]: row[1] for row in rows} == ATTRIBUTE_LABELS
    for _, label, *turns in rows:
        assert [float(turn) for turn in turns] == [levels[level][label] for level in ("strict", "standard", "lenient")]
    assert all(f"`{attribute}`" in read(page) for attribute in ATTRIBUTES)
