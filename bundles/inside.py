"""Picks the files of a model that lies in a folder of a repository, or is one file among several in it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from bundles.files import (
    TOKENIZER_ROLES,
    WEIGHT_SUFFIXES,
    SourceFiles,
    choose_files,
    choose_side_files,
    names_beside,
    renamed,
)
from shared.errors import ModelSourceError

_SHOWN_CHOICES = 8


def choose_inside(names: Iterable[str], inside: str | None, where: str) -> SourceFiles:
    """The files of the model at `inside`, a folder or a file, of those called `names`; all relative to the root.

    What lies beside the model counts first; a config, a tokenizer or labels that are not there are taken from the
    folder above it, as exports in `onnx/` have them.

    Raises:
        ModelSourceError: there is no such folder or file, or no model in it; names what there is.
    """
    present = sorted(names)
    if inside is None:
        return choose_files(present, where)
    folder, own = _own_names(present, inside, where)
    found = choose_files(own, f"{where}/{inside}")
    return _with_what_lies_above(renamed(found, f"{folder}/" if folder else ""), present, folder)


def _own_names(present: list[str], inside: str, where: str) -> tuple[str, list[str]]:
    """The folder of the model, empty for the root, and the names in it that belong to the model."""
    if inside in present:
        path = PurePosixPath(inside)
        folder = "" if str(path.parent) == "." else str(path.parent)
        return folder, names_beside(path.name, _below(present, folder))
    own = _below(present, inside)
    if not own:
        raise ModelSourceError(f"{where} holds nothing called {inside}; {_choices(present)}")
    return inside, own


def _below(present: list[str], folder: str) -> list[str]:
    start = f"{folder}/" if folder else ""
    return [name.removeprefix(start) for name in present if name.startswith(start)]


def _choices(present: list[str]) -> str:
    models = [name for name in present if PurePosixPath(name).suffix in WEIGHT_SUFFIXES]
    shown = ", ".join(models[:_SHOWN_CHOICES])
    more = f" and {len(models) - _SHOWN_CHOICES} more" if len(models) > _SHOWN_CHOICES else ""
    return f"its models are {shown}{more}" if models else "it has no model at all"


def _with_what_lies_above(files: SourceFiles, present: list[str], folder: str) -> SourceFiles:
    for parent in PurePosixPath(folder).parents if folder else ():
        above = "" if str(parent) == "." else str(parent)
        beside = renamed(choose_side_files(_below(present, above)), f"{above}/" if above else "")
        missing = {"config": files.config, "categories": files.categories}
        roles = [role for role, name in missing.items() if name is None]
        roles += () if files.has_tokenizer else TOKENIZER_ROLES
        files = replace(files, **{role: getattr(beside, role) for role in roles})
    return files
