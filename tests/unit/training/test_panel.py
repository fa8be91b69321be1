"""A panel of teachers: a row hears those who never met it, and what has no label hears them all."""

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip

from training import panel  # noqa: E402
from training.data.prepare import EpochMaker  # noqa: E402
from training.data.sources import Row  # noqa: E402
from training.learn.network import CommentNetwork  # noqa: E402
from training.panel import WRITTEN, panel_word  # noqa: E402
from training.plan import SMOKE, TinyEncoder  # noqa: E402
from training.workspace import EMBEDDED, Workspace  # noqa: E402


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    space = Workspace(replace(SMOKE, tiny=TinyEncoder(layers=1, width=16, heads=2)), EMBEDDED, tmp_path, None)
    space.__dict__["train"] = [row for row in space.train if row.source in ("kmhas", "unlabelled_comments")][:80]
    return space


def test_no_row_hears_a_teacher_that_was_shown_it(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Teachers are marked by their part: the bias of the last output is 100 for part 0 and 300 for part 1."""
    assert space.plan.panel is not None
    shown: dict[int, set[str]] = {}
    maker = EpochMaker

    def watched(rows: list[Row], *rest: object) -> object:
        shown[len(shown)] = {row.text for row in rows}
        return maker(rows, *rest)  # type: ignore[arg-type]  # as it was called

    def marked(network: CommentNetwork, ids: list[list[int]], _pad_id: int) -> np.ndarray:
        return np.full((len(ids), network.head.out_features), 100.0 if len(shown) == 1 else 300.0, np.float32)

    monkeypatch.setattr(panel, "EpochMaker", watched)
    monkeypatch.setattr(panel, "logits_of_ids", marked)

    word = panel_word(space, space.plan.panel)

    assert sorted(shown) == [0, 1]
    for row, heard in zip(space.train, word.of_rows[:, -1], strict=True):
        if not row.targets:
            assert heard == 200.0
        else:
            assert row.text not in shown[0 if heard == 100.0 else 1]
            assert row.text in shown[1 if heard == 100.0 else 0]


def test_texts_written_anew_hear_whom_their_model_hears_and_are_kept(space: Workspace) -> None:
    assert space.plan.panel is not None
    word = panel_word(space, space.plan.panel)

    assert len(word.written) == len(space.train)
    assert {row.source for row in word.written} == {WRITTEN}
    assert not any(row.targets for row in word.written)
    assert word.of_written.shape == word.of_rows.shape
    again = panel_word(space, space.plan.panel)
    assert [row.text for row in again.written] == [row.text for row in word.written]
    assert np.array_equal(again.of_written, word.of_written)
