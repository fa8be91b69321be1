"""Prints what an extra of pyproject.toml needs, without the project itself, so that a code change reinstalls nothing.

Usage: python requirements.py EXTRA... < pyproject.toml
"""

import re
import sys
import tomllib

OWN_EXTRA = re.compile(r"kobert-classifier\[([\w,-]+)\]")


def requirements(project: dict, extras: list[str]) -> list[str]:
    """The run-time dependencies and those of `extras`, with the project's own extras followed."""
    found: list[str] = list(project["dependencies"])
    for extra in extras:
        for line in project["optional-dependencies"][extra]:
            own = OWN_EXTRA.match(line)
            found += requirements(project, own[1].split(",")) if own else [line]
    return sorted(set(found))


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(tomllib.load(sys.stdin.buffer)["project"], sys.argv[1:])) + "\n")
