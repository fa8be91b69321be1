import json
from pathlib import Path

import pytest

from bundles.format import load_bundle, write_manifest
from shared.errors import BundleInvalidError
from tests.support.echo import write_echo_bundle


@pytest.fixture
def bundle_dir(tmp_path: Path) -> Path:
    return write_echo_bundle(tmp_path / "bundle")


def change_config(bundle_dir: Path, **fields: object) -> None:
    config = json.loads((bundle_dir / "config.json").read_text())
    (bundle_dir / "config.json").write_text(json.dumps({**config, **fields}))
    write_manifest(bundle_dir)


def test_a_whole_bundle_loads_with_a_revision_that_follows_its_content(bundle_dir: Path) -> None:
    before = load_bundle(bundle_dir)
    change_config(bundle_dir, name="other")
    after = load_bundle(bundle_dir)

    assert (before.config.name, after.config.name) == ("echo", "other")
    assert before.revision != after.revision


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalidError, match="not a model bundle"):
        load_bundle(tmp_path)


def test_a_changed_file_is_named(bundle_dir: Path) -> None:
    with (bundle_dir / "model.onnx").open("ab") as file:
        file.write(b"!")
    with pytest.raises(BundleInvalidError, match=r"model\.onnx was changed or cut short"):
        load_bundle(bundle_dir)


def test_a_missing_file_is_named(bundle_dir: Path) -> None:
    (bundle_dir / "tokenizer.json").unlink()
    with pytest.raises(BundleInvalidError, match=r"tokenizer\.json is missing"):
        load_bundle(bundle_dir)


def test_a_manifest_that_points_out_of_the_bundle_is_refused(bundle_dir: Path) -> None:
    manifest = json.loads((bundle_dir / "manifest.json").read_text())
    manifest["files"]["../secret"] = "0"
    (bundle_dir / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleInvalidError, match="not a plain file name"):
        load_bundle(bundle_dir)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"format_version": 2}, "format_version 2"),
        ({"labels": []}, "labels must be distinct"),
        ({"labels": ["a", "a"]}, "labels must be distinct"),
        ({"problem_type": "multi_label_classification", "clean_label": None}, "needs clean_label"),
        ({"thresholds": {"nonsense": 0.5}}, "thresholds names unknown labels: nonsense"),
        ({"sub_labels": {"hate": ["hate/nonsense"]}}, "sub_labels names unknown labels: hate/nonsense"),
        ({"max_length": "long"}, "cannot be read"),
        ({"strictness": {"standard": {"curse": 0.5}}}, "strictness and calibration are for multi-label bundles"),
        ({"calibration": {"curse": [[0, 0], [1, 1]]}}, "strictness and calibration are for multi-label bundles"),
    ],
)
def test_a_config_that_cannot_be_served_is_refused(bundle_dir: Path, fields: dict, complaint: str) -> None:
    change_config(bundle_dir, **fields)
    with pytest.raises(BundleInvalidError, match=complaint):
        load_bundle(bundle_dir)


MULTI = {
    "problem_type": "multi_label_classification",
    "labels": ["curse", "hate", "hate/age"],
    "clean_label": "clean",
    "sub_labels": {"hate": ["hate/age"]},
}


def test_a_bundle_may_have_levels_of_strictness_and_calibration(bundle_dir: Path) -> None:
    strictness = {level: {"curse": 0.5} for level in ("lenient", "standard", "strict")}
    calibration = {"curse": [[-2.5, -1], [0, 0.25], [3, 4]]}
    change_config(bundle_dir, **MULTI, strictness=strictness, calibration=calibration)

    config = load_bundle(bundle_dir).config

    assert config.strictness == strictness
    assert config.calibration == {"curse": [(-2.5, -1), (0, 0.25), (3, 4)]}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"strictness": {"harsh": {"curse": 0.5}}}, "unknown levels: harsh; the levels are lenient, standard, strict"),
        ({"strictness": {"strict": {"curze": 0.5}}}, "strictness 'strict' names unknown labels: curze"),
        ({"strictness": {"strict": {"clean": 0.5}}}, "strictness 'strict' names unknown labels: clean"),
        ({"strictness": {"strict": {"curse": 1.5}}}, "strictness 'strict' has 1.5 for 'curse'"),
        ({"strictness": {"strict": {"curse": -0.1}}}, "strictness 'strict' has -0.1 for 'curse'"),
        ({"strictness": {"strict": {"curse": None}}}, "cannot be read"),
        ({"strictness": {"strict": {}}, "labels": ["curse", "hate", "hate/age", "clean"]}, "must be none of labels"),
        ({"calibration": {"curze": [[0, 0], [1, 1]]}}, "calibration names unknown labels: curze"),
        ({"calibration": {"curse": []}}, "calibration of 'curse' needs two knots"),
        ({"calibration": {"curse": [[0, 0]]}}, "calibration of 'curse' needs two knots"),
        ({"calibration": {"curse": [[0, 0], [0, 1]]}}, "calibration of 'curse' must rise strictly"),
        ({"calibration": {"curse": [[0, 0], [1, 0]]}}, "calibration of 'curse' must rise strictly"),
        ({"calibration": {"curse": [[0, 0], [2, 2], [1, 3]]}}, "calibration of 'curse' must rise strictly"),
        ({"calibration": {"curse": [[0, 0], [1, 1, 1]]}}, "cannot be read"),
        ({"calibration": {"curse": [[0, 0], [1, None]]}}, "cannot be read"),
        ({"calibration": {"curse": [[0, 0], [1, 1e999]]}}, "cannot be read|not a finite number"),
        ({"calibration": {"curse": [[0, 0], [1, float("nan")]]}}, "cannot be read"),
    ],
)
def test_levels_and_knots_that_cannot_be_served_are_refused_by_name(
    bundle_dir: Path, fields: dict, complaint: str
) -> None:
    change_config(bundle_dir, **{**MULTI, **fields})
    with pytest.raises(BundleInvalidError, match=complaint):
        load_bundle(bundle_dir)
