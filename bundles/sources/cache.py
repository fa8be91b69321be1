"""The cache of converted bundles. Its keys are hashes of what a bundle was made from, so each is made once.

`<folder>/bundles/<key>` is a bundle; it is moved there when complete. `<folder>/latest/<slug>.json`
names the last bundle of a Hub repository, for when the Hub cannot be reached. `<folder>/locks/<key>` is locked while a
bundle is made.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import filelock
import msgspec

from bundles.disk import disk_errors_explained
from bundles.format import Bundle, load_bundle, sha256_of
from bundles.sources.conversion import ConversionOptions
from shared.errors import BundleInvalidError

# Part of every key. Raise it when a conversion gives a different bundle for the same source.
CONVERTER_VERSION = 8
_KEY_DIGITS = 16
_PARTIAL = ".partial-"
_SECONDS_BEFORE_SAYING_SO = 0.5

MakeBundle = Callable[[Path], None]


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """The last bundle of a Hub repository: its commit and its folder."""

    commit: str
    bundle_dir: str


class ModelCache:
    """The cache in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def get_or_make(self, key: str, make: MakeBundle, on_wait: Callable[[], None]) -> Bundle:
        """The bundle of `key`, made by `make(folder)` if it is missing; calls `on_wait` while another process makes it.

        Raises:
            StartupError: the folder cannot be written, or the disk is full.
        """
        bundle = self._find(key)
        if bundle is not None:
            return bundle
        with self._explained(), self._locked(key, on_wait):
            return self._find(key) or self._make(key, make)

    def remember(self, slug: str, latest: Latest) -> None:
        """Record the last bundle of the source `slug`."""
        with self._explained():
            path = self._latest_path(slug)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_bytes(msgspec.json.encode(latest))
            partial.replace(path)

    def latest(self, slug: str) -> Bundle | None:
        """The last bundle of the source `slug`, if it still exists and is complete."""
        try:
            latest = msgspec.json.decode(self._latest_path(slug).read_bytes(), type=Latest)
            return load_bundle(Path(latest.bundle_dir))
        except (OSError, msgspec.DecodeError, BundleInvalidError):
            return None

    def _find(self, key: str) -> Bundle | None:
        path = self._bundle_path(key)
        try:
            return load_bundle(path) if path.is_dir() else None
        except BundleInvalidError:
            return None

    def _make(self, key: str, make: MakeBundle) -> Bundle:
        path = self._bundle_path(key)
        for left_over in path.parent.glob(f"{_PARTIAL}{key}-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        partial = path.parent / f"{_PARTIAL}{key}-{os.getpid()}"
        partial.mkdir(parents=True)
        try:
            make(partial)
            load_bundle(partial)
            shutil.rmtree(path, ignore_errors=True)  # exists only if it was damaged
            partial.rename(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return load_bundle(path)

    @contextmanager
    def _locked(self, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        path = self._folder / "locks" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path)
        try:
            lock.acquire(timeout=_SECONDS_BEFORE_SAYING_SO)
        except filelock.Timeout:
            on_wait()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _explained(self) -> AbstractContextManager[None]:
        return disk_errors_explained("the converted model", self._folder, "CACHE_DIR")

    def _bundle_path(self, key: str) -> Path:
        return self._folder / "bundles" / key

    def _latest_path(self, slug: str) -> Path:
        return self._folder / "latest" / f"{slug}.json"


def content_key(name: str, files: Mapping[str, Path], options: ConversionOptions) -> str:
    """The cache key for a conversion of `files` with `options` into a bundle called `name`."""
    hashes = {role: sha256_of(path) for role, path in sorted(files.items())}
    return _digest([CONVERTER_VERSION, name, hashes, options])


def commit_key(repo: str, commit: str, options: ConversionOptions) -> str:
    """The cache key for a conversion of a Hub commit with `options`."""
    return _digest([CONVERTER_VERSION, repo, commit, options])


def source_slug(source: str, options: ConversionOptions) -> str:
    """A file name for a source and its options."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "--", source)[:80]
    return f"{readable}-{_digest([source, options])}"


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:_KEY_DIGITS]
