"""Every kind of source at its real size, converted, against torch: `make source-matrix`.

    python -m tests.full_size.source_matrix FOLDER [--comments FILE] [--sentencepiece FILE] [--only ROW ...]
                                            [--tiny] [--resume] [--write]

Each row of `tests.full_size.sources.SOURCES` is converted as `make run` does it, in a process of its own, whose peak
memory is read from the kernel. Its tokens are compared with the reference tokenizer, its float graph and its int8 graph
with torch. `--only` takes numbers of rows; measured rows stay in FOLDER, `--resume` adds the others, and `--write` puts
all of them into docs/own-model.md and its Korean page. Without a file of comments they are made up.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
from tokenizers import Tokenizer

from bundles.format import Bundle, sha256_of
from bundles.model_config import read_model_config
from bundles.own_process import Notice, OnReport, Progress
from bundles.sources import conversion
from bundles.sources.conversion import ConversionRequest
from bundles.sources.resolver import resolve
from convert.model_source import open_model
from convert.verify import Logits, run_graph, token_rows
from shared.errors import KobertError
from shared.settings import Settings
from tests.full_size.matrix_page import FLOAT_TEXTS, Row, write_pages
from tests.full_size.models import FULL, MODELS, TINY, Scale
from tests.full_size.sources import SOURCES, Source, Written, reference_model
from tests.full_size.torch_answers import by_torch
from tests.full_size.vocabularies import Vocabularies, Vocabulary, read_comments
from tests.support.checkpoints import quantised
from tests.support.peak_memory import PeakMemory

# Tokens of a text that answers are compared on.
_MAX_LENGTH = 64
_ROWS = "rows"


def main(arguments: Sequence[str]) -> int:
    """Measure the chosen rows and write the pages; returns the exit code."""
    options = _options(arguments)
    scale = TINY if options.tiny else FULL
    corpus = read_comments(options.comments, scale.corpus)
    vocabularies = Vocabularies(options.folder / "vocabularies", corpus, options.sentencepiece)
    wrong = []
    for number in options.only or range(1, len(SOURCES) + 1):
        if options.resume and _row_path(options.folder, number).is_file():
            continue
        row = Measurement(number, options.folder, scale, corpus, vocabularies).run()
        _write_row(options.folder, row)
        sys.stdout.write(f"{number}. {SOURCES[number - 1].name}: {row}\n")
        sys.stdout.flush()
        source = SOURCES[number - 1]
        if not row.is_right(source.refused, source.float_tolerance):
            wrong.append(number)
    if wrong:
        sys.stdout.write(f"not as they must be: {', '.join(map(str, wrong))}\n")
    if options.write:
        write_pages(_read_rows(options.folder), made_up=options.comments is None)
    return int(bool(wrong))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--comments", type=Path, metavar="FILE")
    parser.add_argument("--sentencepiece", type=Path, metavar="FILE", help="KoBERT's own model")
    parser.add_argument("--only", type=int, nargs="+", metavar="ROW")
    parser.add_argument("--tiny", action="store_true", help="two layers of 64, to show that it runs")
    parser.add_argument("--resume", action="store_true", help="only rows that FOLDER has no result of")
    parser.add_argument("--write", action="store_true", help="write the pages")
    return parser.parse_args(arguments)


def _row_path(folder: Path, number: int) -> Path:
    return folder / _ROWS / f"{number:02}.json"


def _write_row(folder: Path, row: Row) -> None:
    path = _row_path(folder, row.source)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.encode(row))


def _read_rows(folder: Path) -> list[Row]:
    return [msgspec.json.decode(path.read_bytes(), type=Row) for path in sorted((folder / _ROWS).glob("*.json"))]


class Measurement:
    """One source of `SOURCES`, made, converted and compared in a folder."""

    def __init__(
        self, number: int, folder: Path, scale: Scale, corpus: Sequence[str], vocabularies: Vocabularies
    ) -> None:
        self.number = number
        self.source: Source = SOURCES[number - 1]
        self.folder = folder
        self.scale = scale
        self.corpus = corpus
        self.vocabulary: Vocabulary = self._vocabulary(vocabularies)
        self.requests: list[ConversionRequest] = []

    def run(self) -> Row:
        """Everything about it."""
        path = self._write()
        seconds, peak_mib, found = self._convert(path)
        if isinstance(found, str):
            return Row(source=self.number, said=found, peak_mib=peak_mib, seconds=seconds)
        equal, reordered = self._compare_tokens(found)
        compared = self._compare_answers(found)
        shutil.rmtree(self.folder / "source")
        return Row(
            source=self.number, said="", peak_mib=peak_mib, seconds=seconds, comments=len(self._comments()),
            tokens_equal=equal, tokens_reordered=reordered, answers=self.scale.answers, **compared,
        )  # fmt: skip

    def _vocabulary(self, vocabularies: Vocabularies) -> Vocabulary:
        model = MODELS[self.source.model]
        return vocabularies.make(model.vocabulary, min(model.size, self.scale.vocabulary))

    def _comments(self) -> Sequence[str]:
        return self.corpus[: self.scale.tokens]

    def _model(self) -> Any:
        return MODELS[self.source.model].make(self.scale, self.vocabulary)

    def _write(self) -> Path:
        folder = self.folder / "source"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        exports = self.folder / "exports" / self.source.model
        return self.source.write(Written(self._model(), self.vocabulary, folder, exports))

    def _convert(self, path: Path) -> tuple[float, float, Bundle | str]:
        """Seconds of processor time, peak MiB, and the bundle or what was said instead."""
        cache = self.folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        settings = Settings(model=str(path), cache_dir=cache, **self.source.settings)
        started = _processor_seconds()
        with PeakMemory() as memory, self._seen_requests():
            found = _bundle_or_refusal(settings)
        return _processor_seconds() - started, memory.peak_mib("-m convert"), found

    @contextmanager
    def _seen_requests(self) -> Iterator[None]:
        def seen(request: ConversionRequest, on_report: OnReport) -> None:
            self.requests.append(request)
            conversion.convert(request, on_report)

        with patch("bundles.sources.source_resolver.convert", seen):
            yield

    def _compare_tokens(self, bundle: Bundle) -> tuple[int, int]:
        """Comments with the same ids, and those with the same ones in another order."""
        tokenizer = _tokenizer_of(bundle)
        pairs = [
            (encoded.ids, theirs)
            for encoded, theirs in zip(
                tokenizer.encode_batch(list(self._comments())), self._reference_ids(), strict=True
            )
        ]
        equal = sum(mine == theirs for mine, theirs in pairs)
        return equal, sum(mine != theirs and sorted(mine) == sorted(theirs) for mine, theirs in pairs)

    def _reference_ids(self) -> list[list[int]]:
        path = self.folder / "ids" / f"{self.vocabulary.folder.name}.json"
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps([self.vocabulary.ids(text) for text in self._comments()]))
        ids: list[list[int]] = json.loads(path.read_text())
        return ids

    def _compare_answers(self, bundle: Bundle) -> dict[str, Any]:
        """Float and int8 against the answers that count; once for all sources that give the same bundle."""
        graphs = [bundle.tokenizer_path, *bundle.path.glob(f"{bundle.model_path.name}*")]
        key = f"{sha256_of_all(graphs)}-{self.source.reference.replace(' ', '-')}"
        known = self.folder / "answers" / f"{key}.json"
        if not known.is_file():
            known.parent.mkdir(exist_ok=True)
            rows = token_rows(_tokenizer_of(bundle), _MAX_LENGTH, self._comments()[: self.scale.answers])
            known.write_text(json.dumps(self._compared(rows, bundle)))
        compared: dict[str, Any] = json.loads(known.read_text())
        return compared

    def _compared(self, rows: list[list[int]], bundle: Bundle) -> dict[str, Any]:
        expected, in_int8 = self._expected(rows), run_graph(bundle.model_path, rows)
        in_float = run_graph(self._write_float(), rows[:FLOAT_TEXTS])
        return {
            "float_difference": float(np.abs(in_float - expected[:FLOAT_TEXTS]).max()),
            "labels_equal": int((in_int8.argmax(axis=1) == expected.argmax(axis=1)).sum()),
            "int8_error": float(np.abs(in_int8 - expected).mean()),
            "torch_error": self._torch_error(rows, expected),
        }

    def _write_float(self) -> Path:
        """The float graph, as the conversion wrote it and threw it away."""
        (request,) = self.requests
        paths = {role: Path(path) for role, path in request.files.items()}
        folder = self.folder / "float"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return open_model(paths, read_model_config(paths.get("config")), request.source).write_float(folder)

    def _expected(self, rows: list[list[int]]) -> Logits:
        if self.source.reference == "file":
            return run_graph(Path(self.requests[0].files["onnx"]), rows)
        return by_torch(reference_model(self.source.reference, self._model()), rows)

    def _torch_error(self, rows: list[list[int]], expected: Logits) -> float | None:
        """How far torch's own int8 is from the same weights in float."""
        if not self.source.reference.startswith("quantised"):
            return None
        own = quantised(self._model(), per_channel="row" in self.source.reference)
        return float(np.abs(by_torch(own, rows) - expected).mean())


def _processor_seconds() -> float:
    """Of this process and of its children that ended; seconds on the wall would be those of the work beside it, too."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _bundle_or_refusal(settings: Settings) -> Bundle | str:
    try:
        return resolve(settings, _silent)
    except KobertError as error:
        return error.message


def _tokenizer_of(bundle: Bundle) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
    tokenizer.encode_special_tokens = True  # as the worker reads texts
    return tokenizer


def sha256_of_all(paths: Sequence[Path]) -> str:
    """One short name for the contents of files."""
    return "-".join(sha256_of(path)[:10] for path in sorted(paths))


def _silent(_: Progress | Notice) -> None:
    """Nothing: the table is the report."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
