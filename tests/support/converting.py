"""A conversion in the test's own process, which has imported torch already: seconds sooner than in one of its own."""

import pytest

from bundles.own_process import OnReport
from bundles.sources import source_resolver
from bundles.sources.conversion import ConversionRequest
from convert.pipeline import Conversion


def convert_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the length of a test that is about the source, and not about the process that converts it."""

    def convert(request: ConversionRequest, on_report: OnReport) -> None:
        Conversion(request, on_report).run()

    monkeypatch.setattr(source_resolver, "convert", convert)
