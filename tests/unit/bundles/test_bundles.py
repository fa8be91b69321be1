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
    ],
)
def test_a_config_that_cannot_be_served_is_refused(bundle_dir: Path, fields: dict, complaint: str) -> None:
    change_config(bundle_dir, **fields)
    with pytest.raises(BundleInvalidError, match=complaint):
        load_bundle(bundle_dir)
