"""The conversion, step by step: load, check, write in float, round to int8, verify, write the bundle."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from tokenizers import Tokenizer

from bundles.format import (
    CARD_FILE,
    CONFIG_FILE,
    FORMAT_VERSION,
    MODEL_FILE,
    TOKENIZER_FILE,
    BundleConfig,
    ProblemType,
    write_manifest,
)
from bundles.model_config import ModelConfig, read_model_config
from bundles.own_process import Notice, OnReport, Progress
from bundles.record import ConversionRecord, Drift, write_record
from bundles.sources.conversion import ConversionRequest
from convert.adapter import merge_adapter
from convert.card import write_card
from convert.categories import read_categories
from convert.check import compare_on_texts
from convert.json_file import read_json
from convert.labels import choose_clean_label, choose_labels, placeholders_in
from convert.model_source import BertClassifier, TextClassifier, open_model, read_weights
from convert.samples import CALIBRATION_TEXTS
from convert.saturation import saturating_share
from convert.tokenizer import choose_tokenizer, pad_token_id
from convert.tokenizer_faults import adds_nothing, tokenizer_faults_explained, try_tokenizer
from convert.tokenizer_fit import check_fit
from convert.unknown_words import check_known
from convert.verify import (
    Logits,
    check_length,
    check_padding,
    look_multi_label,
    look_untrained,
    measure_drift,
    run_graph,
    token_rows,
)
from shared.errors import ModelSourceError
from shared.processors import has_exact_int8_products

# The length used by SKT's tutorial and the checkpoints made with it; a `.pt` file does not store it.
LEGACY_MAX_LENGTH = 64
# What a pass needs grows with the square of the length: 8,192 tokens take a gigabyte for one text.
LONGEST_DEFAULT = 512
# A tokenizer_config.json that says less means nothing by it.
_SHORTEST = 8
_CHECK_ADVICE = "compare them on texts of your own with kobert model import --check FILE"
_MULTI_LABEL = "multi_label_classification"
_PROBLEM_TYPES = frozenset((None, "regression", "single_label_classification", _MULTI_LABEL))


@dataclass
class Conversion:
    """One conversion; `run` does its steps in order."""

    request: ConversionRequest
    on_report: OnReport
    notices: list[str] = field(default_factory=list)
    _merged: dict[str, Path] | None = None

    def run(self) -> None:
        """Write the bundle into the request's output folder.

        Raises:
            ModelSourceError: the source cannot become a bundle; the message says why.
        """
        output = Path(self.request.output_dir)
        with TemporaryDirectory(dir=output) as scratch:
            self._say("reading the checkpoint", 0.05)
            self._merge_adapter(Path(scratch))
            config = read_model_config(self._path("config"))
            model = open_model(self._files(), config, self.request.source)
            labels = self._labels(model, config)
            self._say("building the tokenizer", 0.15)
            tokenizer, tokenizer_kind = self._tokenizer(model)
            (output / TOKENIZER_FILE).write_text(tokenizer.to_str(), encoding="utf-8")
            bundle_config = self._bundle_config(model, config, labels, pad_token_id(tokenizer))
            self._say("writing the model in float", 0.2)
            float_graph = model.write_float(Path(scratch))
            self._say("rounding to int8", 0.4)
            model.write_int8(output / MODEL_FILE, token_rows(tokenizer, bundle_config.max_length, CALIBRATION_TEXTS))
            self._say("comparing int8 with float", 0.6)
            rows = token_rows(tokenizer, bundle_config.max_length)
            drift = self._compare(rows, float_graph, output / MODEL_FILE, bundle_config)
            if drift.is_large:
                self._warn(f"int8 answers unlike float: {drift.describe()}; {_CHECK_ADVICE}")
            check_length(output / MODEL_FILE, rows[0], bundle_config.max_length)
            check_padding(output / MODEL_FILE, rows, bundle_config, self.request.source)
            self._warn_of_odd_logits(run_graph(float_graph, rows), self._said_problem_type(model, config))
            self._check(tokenizer, bundle_config, float_graph)
        self._say("writing the bundle", 0.95)
        _write_texts(output, bundle_config, self._record(model, tokenizer_kind, drift))
        write_manifest(output)
        self._say("done", 1.0)

    def _merge_adapter(self, scratch: Path) -> None:
        if "adapter" in self._files():
            self._say("merging the adapter onto its base", 0.1)
            self._merged = merge_adapter(self._files(), scratch, self.request.source, read_weights)

    def _tokenizer(self, model: TextClassifier) -> tuple[Tokenizer, str]:
        with tokenizer_faults_explained(self.request.source):
            tokenizer, kind = choose_tokenizer(self._files(), self.request, self._warn)
            try_tokenizer(tokenizer)
            check_fit(tokenizer, model.vocabulary, model.end_id)
            check_known(tokenizer, kind)
            if isinstance(model, BertClassifier) and adds_nothing(tokenizer):
                self._warn(
                    f"{kind} puts no [CLS] before a text, and this classifier reads the first token: compare a few "
                    "answers with your own, --check"
                )
        return tokenizer, kind

    def _labels(self, model: TextClassifier, config: ModelConfig) -> list[str]:
        path, named = self._path("categories"), self.request.options.labels
        # A file that cannot be read does not matter where the user names the classes.
        categories = read_categories(path) if path and not named else None
        labels = choose_labels(named, categories, config, model.labels, self.request.source)
        if nameless := placeholders_in(labels):
            self._warn(f"labels are placeholders ({', '.join(nameless)}); set MODEL_LABELS to the names of all classes")
        return labels

    def _bundle_config(
        self, model: TextClassifier, config: ModelConfig, labels: list[str], pad_id: int
    ) -> BundleConfig:
        said = self._said_problem_type(model, config)
        multi_label = said == _MULTI_LABEL
        _check_outputs(labels, said, multi_label=multi_label)
        problem_type: ProblemType = "multi_label_classification" if multi_label else "single_label_classification"
        return BundleConfig(
            format_version=FORMAT_VERSION,
            name=self.request.name,
            problem_type=problem_type,
            labels=labels,
            clean_label=choose_clean_label(self.request.options.clean_label, labels, multi_label=multi_label),
            max_length=self._max_length(model),
            pad_token_id=pad_id,
        )

    def _said_problem_type(self, model: TextClassifier, config: ModelConfig) -> str | None:
        """One label or several, as the user says, else the config, else the graph by its end; None: nothing says."""
        return (
            self.request.options.problem_type or config.problem_type or (_MULTI_LABEL if model.is_multi_label else None)
        )

    def _max_length(self, model: TextClassifier) -> int:
        wanted = self.request.options.max_length
        if wanted is not None and wanted > model.positions:
            raise ModelSourceError(f"MAX_LENGTH is {wanted}, and this model has {model.positions} positions")
        trained = read_json(self._path("tokenizer_config")).get("model_max_length")
        is_legacy = self._path("config") is None
        default = LEGACY_MAX_LENGTH if is_legacy else LONGEST_DEFAULT
        if isinstance(trained, int) and trained >= _SHORTEST and not is_legacy:
            default = min(default, trained)
        return wanted or min(default, model.positions)

    def _compare(self, rows: list[list[int]], float_graph: Path, int8_graph: Path, config: BundleConfig) -> Drift:
        float_logits = run_graph(float_graph, rows)
        int8_logits = run_graph(int8_graph, rows)
        if int8_logits.shape != (len(rows), len(config.labels)):
            raise ModelSourceError(
                f"the model answers with {int8_logits.shape[1]} scores, and {len(config.labels)} labels are named; "
                "set MODEL_LABELS to the names in the order of their indices"
            )
        multi_label = config.problem_type == _MULTI_LABEL
        return measure_drift(float_logits, int8_logits, multi_label=multi_label)

    def _check(self, tokenizer: Tokenizer, config: BundleConfig, float_graph: Path) -> None:
        """Tell how float and int8 answer the user's own texts, if there are any; no part of the bundle's record."""
        if self.request.check:
            self._say("reading your texts in float and in int8", 0.7)
            int8_graph = Path(self.request.output_dir) / MODEL_FILE
            said = compare_on_texts(Path(self.request.check), tokenizer, config, float_graph, int8_graph)
            self.on_report(Notice(said))

    def _warn_of_odd_logits(self, logits: Logits, problem_type: str | None) -> None:
        if look_untrained(logits):
            self._warn(
                f"the outputs are nearly the same for {len(logits)} different sample texts: the classifier looks "
                "untrained, or this is not the tokenizer that it was trained with"
            )
        elif problem_type is None and look_multi_label(logits):
            self._warn(
                "config.json does not say whether a text has one label or several. It is served with one, but its "
                "outputs are low together, as those of several labels are; if it was trained so, set "
                f"MODEL_PROBLEM_TYPE={_MULTI_LABEL}"
            )

    def _record(self, model: TextClassifier, tokenizer_kind: str, drift: Drift) -> ConversionRecord:
        record = ConversionRecord(
            source=_without_folders(self.request.source),
            source_revision=self.request.revision,
            source_files={role: Path(path).name for role, path in self.request.files.items()},
            model=model.describe(),
            tokenizer=tokenizer_kind,
            weights=model.describe_weights(),
            drift=drift,
            notices=self.notices,
            saturating_pairs=round(saturating_share(Path(self.request.output_dir) / MODEL_FILE), 4),
        )
        for said in record.notices_here(has_exact_products=has_exact_int8_products()):
            if said not in self.notices:  # true of this machine, and no part of what the bundle says of itself
                self.on_report(Notice(said))
        return record

    def _files(self) -> dict[str, Path]:
        """The files of the source by role; those of an adapter and its base once they are one model."""
        return self._merged or {role: Path(path) for role, path in self.request.files.items()}

    def _path(self, role: str) -> Path | None:
        return self._files().get(role)

    def _say(self, message: str, fraction: float) -> None:
        self.on_report(Progress(message, fraction))

    def _warn(self, message: str) -> None:
        self.notices.append(message)
        self.on_report(Notice(message))


def _check_outputs(labels: list[str], problem_type: str | None, *, multi_label: bool) -> None:
    """Refuse what is no classifier: of one output a softmax says 1.0 for every text.

    Raises:
        ModelSourceError: it answers a number, has one class, or is of a kind that nobody knows.
    """
    if problem_type not in _PROBLEM_TYPES:
        raise ModelSourceError(
            f"config.json has the problem_type {problem_type!r}, which transformers does not know; set "
            "MODEL_PROBLEM_TYPE to single_label_classification or multi_label_classification"
        )
    if problem_type == "regression" or (len(labels) == 1 and not multi_label):
        raise ModelSourceError(
            f"the model answers {'a number' if len(labels) == 1 else 'numbers'} (regression), not classes; only "
            "classifiers can be served. If it was trained to say yes or no with each output (BCE), set "
            f"MODEL_PROBLEM_TYPE={_MULTI_LABEL}"
        )


def _without_folders(source: str) -> str:
    """The source for a published card, without local paths."""
    return Path(source).name if Path(source).exists() else source


def _write_texts(output: Path, config: BundleConfig, record: ConversionRecord) -> None:
    encoded = msgspec.json.format(msgspec.json.encode(config), indent=1)
    (output / CONFIG_FILE).write_bytes(encoded + b"\n")
    (output / CARD_FILE).write_text(write_card(config, record), encoding="utf-8")
    write_record(record, output)
