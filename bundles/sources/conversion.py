"""The request for a conversion: source, files and options. The package `convert` carries it out."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec

from bundles.own_process import OnReport, run_process
from shared.commands import install_command, kobert_command
from shared.errors import ConverterMissingError
from shared.settings import Settings

# Started with `python -m` as a separate process, so that torch and its memory never reach the caller. No import shows
# this dependency on `convert`: this name is its only place, and a test checks it.
CONVERT_MODULE = "convert"
_NEEDED = ("torch", "onnx", "sentencepiece", "safetensors")
# For a family whose graph is not written here, and the optional part that brings it.
_NEEDED_TO_EXPORT = (*_NEEDED, "transformers")
_EXTRA, _EXTRA_TO_EXPORT = "convert", "convert-any"


class ConversionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The user's options, which are part of the cache key."""

    labels: list[str] = []
    clean_label: str | None = None
    max_length: int | None = None
    vocab_specials: Literal["kobert", "file"] = "kobert"
    legacy_tokenizer: Literal["kobert", "gluonnlp"] = "kobert"
    problem_type: Literal["single_label_classification", "multi_label_classification"] | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> "ConversionOptions":
        """Pick the settings that a conversion reads."""
        return cls(
            labels=settings.model_labels,
            clean_label=settings.clean_label,
            max_length=settings.max_length,
            vocab_specials=settings.vocab_specials,
            legacy_tokenizer=settings.legacy_tokenizer,
            problem_type=settings.model_problem_type,
        )


class ConversionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One source to convert. `files` are paths by the field of `SourceFiles` they belong to.

    `check` is a file with a JSON list of `[text, label]` to compare float with int8 on. `is_exported`: the model is
    exported by transformers.
    """

    name: str
    source: str
    revision: str
    files: dict[str, str]
    options: ConversionOptions
    output_dir: str
    check: str | None = None
    is_exported: bool = False


def missing_libraries(*, to_export: bool = False) -> list[str]:
    """Libraries that a conversion needs and that are not installed; the worker's image has none of them."""
    return [name for name in (_NEEDED_TO_EXPORT if to_export else _NEEDED) if find_spec(name) is None]


def convert(request: ConversionRequest, on_report: OnReport) -> None:
    """Convert in a separate process; writes the bundle to `request.output_dir`.

    Raises:
        ConverterMissingError: the libraries are not installed.
        StartupError: the process was killed.
        ModelSourceError: the source cannot become a bundle.
    """
    missing = missing_libraries(to_export=request.is_exported)
    if missing:
        extra = _EXTRA_TO_EXPORT if request.is_exported else _EXTRA
        raise ConverterMissingError(
            f"{request.source} must be converted once, which needs {', '.join(missing)}: {install_command(extra)}, "
            f"or convert it elsewhere ({kobert_command('model', 'import', request.source)}) "
            "and set MODEL to the folder that it writes",
            extra=extra,
        )
    needs = "it needs about five times the size of its weights" if request.is_exported else "it needs up to 1.5 GB"
    run_process(CONVERT_MODULE, request, on_report, work=f"the conversion of {request.source} ({needs})")


def paths_by_role(folder: Path, by_role: dict[str, str]) -> dict[str, Path]:
    """Absolute paths of the files of a source."""
    return {role: folder.absolute() / name for role, name in by_role.items()}
