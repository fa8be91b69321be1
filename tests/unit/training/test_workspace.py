"""The rows that a run learns from: a smoke run leaves most made-up ones out, and nothing else."""

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from training.data.sources import Row
from training.workspace import one_in

pytestmark = pytest.mark.training


def test_one_in_three_made_up_texts_of_each_source_stays_and_all_that_people_labelled() -> None:
    sources = ("kmhas", "cursed", "clean/composed_homographs", "corrections/people")
    rows = [Row(f"{source} {number}", source, "train") for number in range(7) for source in sources]

    kept = [row.text for row in one_in(3, rows)]

    labelled = [row.text for row in rows if row.source in ("kmhas", "corrections/people")]
    assert [text for text in kept if text in labelled] == labelled
    assert [text for text in kept if text.startswith("cursed")] == ["cursed 0", "cursed 3", "cursed 6"]
    assert [text for text in kept if text.startswith("clean")] == [f"clean/composed_homographs {n}" for n in (0, 3, 6)]
    assert one_in(1, rows) == rows
