"""Makes a bundle of a folder, a checkpoint file or a repository on the Hugging Face Hub, unless it is one already."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from bundles.adapter import AdapterConfig, without_base
from bundles.architecture import as_classifier, choose_route, is_exported
from bundles.files import (
    INDEX_NAMES,
    WEIGHT_SUFFIXES,
    SourceFiles,
    choose_files,
    choose_side_files,
    find_sentencepiece,
    have_tokenizer,
    names_beside,
    names_in,
    refuse_pickled_head,
)
from bundles.format import CONFIG_FILE, MANIFEST_FILE, Bundle, load_bundle
from bundles.hub.repository import KOBERT_REPO, HubRepo
from bundles.inside import choose_inside
from bundles.model_config import read_model_config
from bundles.own_process import Notice, OnReport, Progress
from bundles.sources.adapter import add_base
from bundles.sources.cache import Latest, ModelCache, commit_key, content_key, source_slug
from bundles.sources.conversion import ConversionOptions, ConversionRequest, convert, missing_libraries, paths_by_role
from bundles.sources.local_path import find_local
from bundles.trainer_output import find_newest_checkpoint
from models import embedded_names
from shared.errors import HubUnreachableError, ModelNotFoundError, ModelSourceError, StartupError
from shared.settings import Settings

KOBERT_VOCABULARY = 8002
_WAITING = Progress("another process is converting this model; waiting for it", 0.0)


@dataclass(frozen=True)
class SourceResolver:
    """Resolves sources that are not embedded, under one set of settings.

    `check` is a file with a JSON list of `[text, label]`, on which a source is compared in float and in int8.
    """

    settings: Settings
    on_report: OnReport
    check: Path | None = None

    @property
    def cache(self) -> ModelCache:
        """Where converted bundles are kept."""
        return ModelCache(self.settings.model_cache_dir)

    @property
    def options(self) -> ConversionOptions:
        """The user's options for conversions."""
        return ConversionOptions.from_settings(self.settings)

    def resolve(self, source: str) -> Bundle:
        """The bundle of a folder, a file or a repository."""
        path = find_local(source)
        if path is not None and path.is_dir():
            return self._from_folder(path)
        if path is not None and path.is_file():
            return self._from_file(path)
        source = source.strip()
        repo = HubRepo.parse(source)
        if repo is None or (PurePath(source).suffix in WEIGHT_SUFFIXES and repo.inside is None):
            raise ModelNotFoundError(
                f"MODEL={shlex.quote(source)}: there is no such file or folder, it is not owner/name on the Hub, "
                f"and no embedded model has that name ({', '.join(embedded_names())})"
                + ("; for a page of the Hub set MODEL=owner/name" if "://" in source else "")
            )
        try:
            return self._from_hub(repo)
        except (ModelNotFoundError, HubUnreachableError) as error:
            if repo.inside is None:
                raise
            said = f"MODEL={shlex.quote(source)}: there is no such file or folder here; {error.message}"
            raise type(error)(said) from error

    def _from_folder(self, folder: Path) -> Bundle:
        if (folder / MANIFEST_FILE).is_file():
            return load_bundle(folder)
        name, newest = folder.resolve().name, find_newest_checkpoint(folder)
        if newest is not None:
            self.on_report(Notice(newest.notice))
            folder = newest.folder
        return self._convert_local(folder, name, choose_files(names_in(folder), str(folder)))

    def _from_file(self, path: Path) -> Bundle:
        """A checkpoint by its path; labels, vocabulary and tokenizer are the files beside it.

        Those of an export in a folder `onnx` may be a folder above.
        """
        if path.parent.name == "onnx" and not (path.parent / CONFIG_FILE).is_file():
            above = path.parent.parent
            return self._convert_local(
                above, path.stem, choose_inside(names_in(above), f"onnx/{path.name}", str(above))
            )
        is_index = path.name.endswith(INDEX_NAMES)
        if not is_index and (path.suffix == ".json" or choose_side_files([path.name]).by_role()):
            raise ModelSourceError(f"{path} has no weights; set MODEL to the folder of the model, {path.parent}")
        stem = Path(path.name.removesuffix(".index.json")).stem
        chosen = choose_files(names_beside(path.name, names_in(path.parent)), str(path))
        return self._convert_local(path.parent, stem, chosen)

    def _convert_local(self, folder: Path, name: str, files: SourceFiles) -> Bundle:
        try:
            files = _for_its_architecture(folder, files, str(folder))
            paths = paths_by_role(folder, files.by_role())
            if files.kind == "adapter":
                paths = self._with_base(paths, str(folder))
            key = content_key(name, paths, self.options)
        except OSError as error:
            raise StartupError(f"{error.filename} cannot be read: {error.strerror}") from error
        return self._get_or_convert(key, _Source(name, str(folder), key, paths))

    def _with_base(self, paths: dict[str, Path], where: str) -> dict[str, Path]:
        """The files of an adapter and of its base, by role."""
        return add_base(paths, where, partial(self._fetch_base, where))

    def _fetch_base(self, where: str, config: AdapterConfig) -> tuple[Path, SourceFiles]:
        """The base of the adapter `where`, from the Hub."""
        repo = HubRepo.parse(str(config.base_model_name_or_path))
        if repo is None:
            raise without_base(where, config, "there is no such folder here, and it is not owner/name on the Hub")
        repo = replace(repo, revision=config.revision or repo.revision)
        self.on_report(Notice(f"{where} is a LoRA adapter; it is merged onto its base {repo}"))
        try:
            snapshot = repo.fetch(self.settings.hub_timeout_s, self.on_report, "base")
        except (ModelNotFoundError, HubUnreachableError) as error:
            raise without_base(where, config, error.message) from error
        return snapshot.folder, choose_inside(names_in(snapshot.folder, repo.inside), repo.inside, repo.name)

    def _get_or_convert(self, key: str, source: "_Source") -> Bundle:
        made: list[Path] = []

        def make(output_dir: Path) -> None:
            self._convert(source, output_dir)
            made.append(output_dir)

        bundle = self.cache.get_or_make(key, make, partial(self.on_report, _WAITING))
        if self.check and not made:
            # What float answers is not kept: it is worked out again.
            with TemporaryDirectory(prefix="kobert-check-") as scratch:
                self._convert(source, Path(scratch))
        return bundle

    def _from_hub(self, repo: HubRepo) -> Bundle:
        slug = source_slug(str(repo), self.options)
        before = self.cache.latest(slug)
        if before is not None and repo.is_pinned:
            return before
        try:
            return self._fetch_and_convert(repo, slug)
        except HubUnreachableError as error:
            if before is None:
                raise
            return self._serve_last(repo, before, error.message)
        except StartupError as error:
            # A worker without torch must not fail on restart because a newer commit was pushed.
            if before is None or not missing_libraries():
                raise
            return self._serve_last(repo, before, error.message)

    def _serve_last(self, repo: HubRepo, before: Bundle, reason: str) -> Bundle:
        self.on_report(Notice(f"{reason}; serving {before.revision}, the last that was downloaded from {repo}"))
        return before

    def _fetch_and_convert(self, repo: HubRepo, slug: str) -> Bundle:
        snapshot = repo.fetch(self.settings.hub_timeout_s, self.on_report)
        chosen = choose_inside(names_in(snapshot.folder, repo.inside), repo.inside, repo.name)
        files = _for_its_architecture(snapshot.folder, chosen, str(repo))
        if files.kind == "bundle":
            bundle = load_bundle((snapshot.folder / str(files.manifest)).parent)
        else:
            key = commit_key(repo.place, snapshot.commit, self.options)
            paths = paths_by_role(snapshot.folder, files.by_role())
            if files.kind == "adapter":
                paths = self._with_base(paths, str(repo))
                key = content_key(repo.place, paths, self.options)
            bundle = self._get_or_convert(key, _Source(repo.place, str(repo), snapshot.commit, paths))
        self.cache.remember(slug, Latest(commit=snapshot.commit, bundle_dir=str(bundle.path)))
        return bundle

    def _convert(self, source: "_Source", output_dir: Path) -> None:
        paths = dict(source.paths)
        if not have_tokenizer(paths):
            _require_koberts_vocabulary(source)
            paths["sentencepiece"] = self._kobert_sentencepiece(source.described)
        request = ConversionRequest(
            name=source.name,
            source=source.described,
            revision=source.revision,
            files={role: str(path) for role, path in paths.items()},
            options=self.options,
            output_dir=str(output_dir),
            check=str(self.check) if self.check else None,
            is_exported=_is_exported(paths),
        )
        convert(request, self.on_report)

    def _kobert_sentencepiece(self, described: str) -> Path:
        """The tokenizer that a source without one was trained with."""
        try:
            snapshot = HubRepo(KOBERT_REPO).fetch(self.settings.hub_timeout_s, self.on_report, "sentencepiece")
        except HubUnreachableError as error:
            raise HubUnreachableError(
                f"{described} has no tokenizer, and KoBERT's could not be fetched ({error.message}); "
                f"put spiece.model of {KOBERT_REPO} beside the checkpoint"
            ) from error
        name = find_sentencepiece(names_in(snapshot.folder))
        if name is None:
            raise ModelNotFoundError(f"{KOBERT_REPO} no longer holds spiece.model; put it beside the checkpoint")
        return snapshot.folder / name


def _require_koberts_vocabulary(source: "_Source") -> None:
    """Refuse to give KoBERT's tokenizer to a model whose config says that it has another vocabulary."""
    config = source.paths.get("config")
    said = read_model_config(config) if config else None
    if said is not None and said.vocab_size not in {None, KOBERT_VOCABULARY}:
        raise ModelSourceError(
            f"{source.described} has no tokenizer, and its vocabulary of {said.vocab_size:,} tokens is not KoBERT's: "
            "add the tokenizer.json, vocab.txt or SentencePiece model that it was trained with"
        )


def _is_exported(paths: Mapping[str, Path]) -> bool:
    """Whether transformers is needed to read the model in these files."""
    config = read_model_config(paths.get("config"))
    if "adapter" in paths:
        config = as_classifier(config)
    return "weights" in paths and is_exported(config)


def _for_its_architecture(folder: Path, files: SourceFiles, where: str) -> SourceFiles:
    """Either the weights or the ONNX export, whichever can be read."""
    if files.config is None:
        refuse_pickled_head(files, where)
    if files.kind == "bundle" or files.config is None:
        return files
    return choose_route(files, read_model_config(folder / files.config), where)


@dataclass(frozen=True)
class _Source:
    """A source to convert: its name, the user's name for it, its revision and its files by role."""

    name: str
    described: str
    revision: str
    paths: Mapping[str, Path]
