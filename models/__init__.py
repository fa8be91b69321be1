"""The bundles that ship with the product, one folder each; `EMBEDDED_DIR / name` is a bundle."""

from pathlib import Path

EMBEDDED_DIR = Path(__file__).resolve().parent
DEFAULT_NAME = "default"


def embedded_names() -> list[str]:
    """The names that `MODEL` accepts for what ships with the product, sorted."""
    return sorted(config.parent.name for config in EMBEDDED_DIR.glob("*/config.json"))
