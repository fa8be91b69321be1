"""A repository on the Hugging Face Hub as a source of models. Network access is in `bundles.hub.fetch` and `push`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from bundles.own_process import OnReport, run_process

KOBERT_REPO = "skt/kobert-base-v1"
_FETCH_MODULE = "bundles.hub.fetch"
_PUSH_MODULE = "bundles.hub.push"
_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*/[\w.-]+)(?:/(?P<inside>[^/@\n]+(?:/[^/@\n]+)*)/?)?(?:@(?P<revision>[\w./-]+))?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")

Wanted = Literal["model", "encoder", "base", "sentencepiece"]


class PushRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A folder to upload as it is."""

    name: str
    folder: str
    private: bool


class FetchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to download: what is read of a classifier, of an encoder, of an adapter's base, or KoBERT's tokenizer alone.

    `inside` is the folder or file of the repository that the model is.
    """

    name: str
    revision: str | None
    inside: str | None = None
    wanted: Wanted
    timeout_s: float


@dataclass(frozen=True)
class Snapshot:
    """A repository's files at one commit, in the Hub library's own cache."""

    folder: Path
    commit: str


@dataclass(frozen=True)
class HubRepo:
    """`owner/name`, at a branch, tag or commit, or at its default branch.

    `inside` is the folder or file of it that the model is; None for all of it.
    """

    name: str
    revision: str | None = None
    inside: str | None = None

    @classmethod
    def parse(cls, source: str) -> "HubRepo | None":
        """Read `owner/name[/folder or file][@revision]`; None if `source` is not of that form."""
        found = _NAME.fullmatch(source)
        if found is None or ".." in source.split("/"):
            return None
        return cls(found["name"], found["revision"], found["inside"])

    def __str__(self) -> str:
        return f"{self.place}@{self.revision}" if self.revision else self.place

    @property
    def place(self) -> str:
        """Its name, and where in it the model is."""
        return f"{self.name}/{self.inside}" if self.inside else self.name

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a full commit, which never changes."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    def fetch(self, timeout_s: float, on_report: OnReport, wanted: Wanted = "model") -> Snapshot:
        """Download the files, unless they are in the local cache already.

        Raises:
            HubUnreachableError: no network, no answer in time, or the Hub has a problem.
            ModelNotFoundError: there is no such repository or revision, or HF_TOKEN may not read it.
            ModelSourceError: it holds no model.
            StartupError: the download cannot be written.
        """
        request = FetchRequest(
            name=self.name, revision=self.revision, inside=self.inside, wanted=wanted, timeout_s=timeout_s
        )
        result = run_process(_FETCH_MODULE, request, on_report, work=f"the download of {self}")
        return Snapshot(Path(result["folder"]), result["commit"])

    def upload(self, folder: Path, on_report: OnReport, *, private: bool) -> str:
        """Commit every file of `folder`, creating the repository if needed; returns the commit.

        Raises:
            HubUnreachableError, ModelNotFoundError, ModelSourceError: as `fetch`.
        """
        request = PushRequest(name=self.name, folder=str(folder), private=private)
        return run_process(_PUSH_MODULE, request, on_report, work=f"the upload to {self.name}")["commit"]
