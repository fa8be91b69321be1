"""A conversion in the test's own process, which has imported torch already: seconds sooner than in one of its own."""

import pytest

from bundles.sources import source_resolver
from convert.__main__ import convert


def convert_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the length of a test that is about the source, and not about the process that converts it."""
    monkeypatch.setattr(source_resolver, "convert", convert)
