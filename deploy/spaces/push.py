"""Creates a Hugging Face Space and pushes this checkout to it: `python deploy/spaces/push.py OWNER/NAME`.

The token comes from `hf auth login` or from HF_TOKEN; it needs the right to write. Run it again to push a change.
"""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copy2
from typing import Any

from huggingface_hub import HfApi, constants, get_session
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

# The HTTP library under the Hub's: httpx, or in later versions its successor.
_http: Any = importlib.import_module(type(get_session()).__module__.partition(".")[0])

ROOT = Path(__file__).resolve().parents[2]
SPACES = Path("deploy/spaces")
# What the image is built from, as it lies in the checkout.
FOLDERS = (
    "api",
    "bundles",
    "cli",
    "convert",
    "deploy/containers",
    "models",
    "requirements",
    "shared",
    "training",
    "worker",
)
FILES = (".dockerignore", "LICENSE", "constraints.txt", "pyproject.toml")
# What a Space wants at its root.
AT_ROOT = (SPACES / "Dockerfile", SPACES / "README.md")
UNWANTED = ("__pycache__", ".egg-info")


def sources() -> Iterator[tuple[Path, Path]]:
    """Pairs of a file in the checkout and its place in the Space, both relative."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            relative = path.relative_to(ROOT)
            if path.is_file() and not any(word in part for part in relative.parts for word in UNWANTED):
                yield relative, relative
    for name in FILES:
        yield Path(name), Path(name)
    for path in AT_ROOT:
        yield path, Path(path.name)


def assemble(folder: Path) -> None:
    """Lay the Space's content out in `folder`."""
    for source, place in sources():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        copy2(ROOT / source, folder / place)


def push(repo_id: str, variables: dict[str, str], *, private: bool, endpoint: str | None = None) -> str:
    """Create the Space if it is not there, set its variables, push; returns its address.

    Raises:
        HfHubHTTPError, LocalTokenNotFoundError: the Hub refuses, or there is no token.
    """
    api = HfApi(endpoint=endpoint)
    url = api.create_repo(repo_id, repo_type="space", space_sdk="docker", private=private, exist_ok=True)
    for name, value in variables.items():
        api.add_space_variable(repo_id, name, value)
    with tempfile.TemporaryDirectory() as folder:
        assemble(Path(folder))
        api.upload_folder(
            repo_id=repo_id,
            repo_type="space",
            folder_path=folder,
            commit_message="Update kobert-classifier",
            # What an earlier version had and this one has not.
            delete_patterns="*",
        )
    return str(url)


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("repo_id", metavar="OWNER/NAME", help="the Space")
    parser.add_argument("--private", action="store_true", help="make a new Space private")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting, such as MODEL=…")
    arguments = parser.parse_args()
    variables = dict(pair.partition("=")[::2] for pair in arguments.set)
    try:
        url = push(arguments.repo_id, variables, private=arguments.private)
    except LocalTokenNotFoundError:
        sys.stderr.write("no token: run `hf auth login`, or set HF_TOKEN to one that may write\n")
        return 1
    except HfHubHTTPError as error:
        sys.stderr.write(f"the Hub refused: {str(error).splitlines()[0]}\n")
        return 1
    except _http.TransportError as error:
        sys.stderr.write(f"{constants.ENDPOINT} cannot be reached ({error}); try again later\n")
        return 1
    sys.stdout.write(f"pushed; the Space builds now: {url}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
