"""Pin the base images of every Dockerfile by digest: `make pin-images`. Run it again to take their newer builds.

Asks the registry for the digest of each tag, for all its platforms at once (the digest of the index), and writes
`ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm@sha256:…`. Either all are written or none. `--check` says
which are not pinned. `--registry https://mirror.example.com` asks a mirror in place of Docker Hub.
"""

import argparse
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = (
    "Dockerfile.api",
    "Dockerfile.worker",
    *(f"deploy/{part}/Dockerfile" for part in ("proxy", "redis", "spaces")),
)
HUB = "https://registry-1.docker.io"
TIMEOUT_S = 30
ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_ARGUMENT = re.compile(
    r"^(?P<start>ARG \w+_IMAGE=docker\.io/)(?P<repository>[\w./-]+):(?P<tag>[\w.-]+)(?P<digest>@sha256:[0-9a-f]{64})?$",
    re.MULTILINE,
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Image(NamedTuple):
    """What a Dockerfile names."""

    repository: str
    tag: str


class LookupFailedError(Exception):
    """Raised when the registry did not tell a digest."""


def images(text: str) -> Iterator[tuple[Image, bool]]:
    """The base images of a Dockerfile, and whether each is pinned."""
    for found in _ARGUMENT.finditer(text):
        yield Image(found["repository"], found["tag"]), found["digest"] is not None


def pin(text: str, digests: Mapping[Image, str]) -> str:
    """The Dockerfile with these digests."""

    def pinned(found: re.Match[str]) -> str:
        image = Image(found["repository"], found["tag"])
        return f"{found['start']}{image.repository}:{image.tag}@{digests[image]}"

    return _ARGUMENT.sub(pinned, text)


def digest_of(image: Image, registry: str) -> str:
    """What the registry has under the tag now.

    Raises:
        LookupFailedError: it does not answer, or not with a digest.
    """
    url = f"{registry.rstrip('/')}/v2/{image.repository}/manifests/{image.tag}"
    try:
        digest = _head(url, {})
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise LookupFailedError(f"{url}: {error}") from error
        try:
            digest = _head(url, {"Authorization": f"Bearer {_token(error.headers.get('WWW-Authenticate', ''))}"})
        except (OSError, KeyError, ValueError) as second:
            raise LookupFailedError(f"{url}: {second}") from second
    except (OSError, ValueError) as error:
        raise LookupFailedError(f"{url}: {error}") from error
    if not _DIGEST.fullmatch(digest):
        raise LookupFailedError(f"{url}: the answer has no digest")
    return digest


def _head(url: str, headers: Mapping[str, str]) -> str:
    request = urllib.request.Request(url, headers={"Accept": ACCEPT, **headers}, method="HEAD")  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        return str(answer.headers.get("Docker-Content-Digest", ""))


def _token(challenge: str) -> str:
    """A pass to read, from whom the registry names (`Bearer realm="…",service="…",scope="…"`)."""
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if not asked["realm"].startswith(("https://", "http://")):
        raise ValueError(f"it sends for a token to {asked['realm']}")
    query = urllib.parse.urlencode({name: value for name, value in asked.items() if name != "realm"})
    with urllib.request.urlopen(f"{asked['realm']}?{query}", timeout=TIMEOUT_S) as answer:  # noqa: S310
        return str(json.load(answer)["token"])


def main() -> int:
    """Returns the exit code: 1, some are not pinned; 2, the registry could not be asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="say which are not pinned, and change nothing")
    parser.add_argument("--registry", default=HUB)
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args()
    texts = {options.root / name: (options.root / name).read_text() for name in DOCKERFILES}
    named = [found for text in texts.values() for found in images(text)]
    if options.check:
        loose = sorted({f"{image.repository}:{image.tag}" for image, is_pinned in named if not is_pinned})
        sys.stdout.write(f"not pinned by digest: {', '.join(loose)}\n" if loose else "all base images are pinned\n")
        return 1 if loose else 0
    try:
        digests = {image: digest_of(image, options.registry) for image in sorted({image for image, _ in named})}
    except LookupFailedError as error:
        sys.stderr.write(f"nothing was pinned, since the registry could not be asked: {error}\n")
        return 2
    for path, text in texts.items():
        path.write_text(pin(text, digests))
    sys.stdout.write("".join(f"{i.repository}:{i.tag}@{digest}\n" for i, digest in digests.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
