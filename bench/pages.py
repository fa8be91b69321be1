"""Pages of docs/ that several benchmarks write, each its own section."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def replace_section(page: str, section: str) -> None:
    """Put `section`, which begins with its heading, where that heading stands, or at the end; the rest stays."""
    path = DOCS / page
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    heading = re.escape(section.partition("\n")[0])
    body = section.rstrip("\n") + "\n"
    # A section ends before the next heading of its level or above.
    level = len(section) - len(section.lstrip("#"))
    found = re.search(rf"^{heading}\n.*?(?=^#{{1,{level}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        path.write_text(f"{text.rstrip()}\n\n{body}".lstrip(), encoding="utf-8")
        return
    rest = text[found.end() :]
    path.write_text(text[: found.start()] + body + (f"\n{rest}" if rest else ""), encoding="utf-8")
