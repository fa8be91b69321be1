"""What starts a conversion finds the package that does it."""

from importlib.util import find_spec
from pathlib import Path

from bundles.sources.conversion import CONVERT_MODULE

ROOT = Path(__file__).resolve().parents[3]


def test_the_module_that_a_conversion_starts_is_our_own_and_can_be_run() -> None:
    entry = find_spec(f"{CONVERT_MODULE}.__main__")

    assert entry is not None
    assert entry.origin == str(ROOT / "convert" / "__main__.py")
