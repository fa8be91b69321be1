"""Resolving a source in a test: its settings, what its conversion reports, and the sentence that it is refused with."""

from pathlib import Path
from typing import Any

import pytest

from bundles.own_process import Notice, Progress
from bundles.sources.resolver import resolve
from shared.errors import KobertError
from shared.settings import Settings


class Reports(list[Progress | Notice]):
    """What a conversion reported."""

    def __call__(self, report: Progress | Notice) -> None:
        self.append(report)

    @property
    def notices(self) -> list[str]:
        return [report.message for report in self if isinstance(report, Notice)]


def settings_for(model: Path | str, cache: Path, **others: Any) -> Settings:
    return Settings(model=str(model), cache_dir=cache, **others)


def refusal_of(settings: Settings) -> str:
    """The one sentence that `kobert run` would end with."""
    with pytest.raises(KobertError) as refusal:
        resolve(settings, Reports())
    return refusal.value.message
