"""A cascade made for a real bundle, from rows to the file that its worker asks."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.cascade import cascade_of
from bundles.format import load_bundle
from training.cascade import make_cascade, table_of
from training.data.made_up import made_up_rows
from training.plan import SMOKE
from training.ship.cascade import put_into
from worker.inference.cascade import Cascade, build_cascade
from worker.inference.verdict import Judge

EMBEDDED = Path(__file__).resolve().parents[3] / "models" / "default"

pytestmark = [pytest.mark.training, pytest.mark.integration, pytest.mark.timeout(600)]


def test_a_cascade_is_made_put_into_the_bundle_and_served(tmp_path: Path) -> None:
    bundle = load_bundle(Path(shutil.copytree(EMBEDDED, tmp_path / "bundle")))
    assert SMOKE.cascade is not None

    table, tallies = make_cascade(bundle, made_up_rows(3), SMOKE.cascade, tmp_path / "work")
    newer = put_into(bundle, table)
    again, _ = make_cascade(newer, made_up_rows(3), SMOKE.cascade, tmp_path / "work")

    assert tallies[0].texts == table.certificate.texts > 100
    assert {found.name for found in tallies} > {"all", "tests/data", "kmhas"}
    assert table_of(tallies).count("\n") == len(tallies) + 1
    assert (again.weights, again.cut) == (table.weights, table.cut)
    assert cascade_of(newer) == table
    assert isinstance(build_cascade(newer, Judge(newer.config, {})), Cascade)
