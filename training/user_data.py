"""Trains a bundle on a user's own table: their labels, their texts, one label a text or several."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertModel

from bundles.format import CARD_FILE, FORMAT_VERSION, MANIFEST_FILE, Bundle, BundleConfig, load_bundle, write_manifest
from bundles.labels import find_clean_name
from bundles.text.normalise import CURRENT, normalise
from bundles.windows import Windows
from shared.errors import ModelSourceError
from training.data.batches import Floats, TrainingSet, encode
from training.data.corrected import reshaped
from training.data.noise import Generator
from training.learn.embedded import encoder_of_bundle
from training.learn.fit import Fit, FitPlan, balanced_class_loss, balanced_label_loss, class_loss, masked_loss
from training.learn.metrics import Confusion, Flags, confusion, sigmoid
from training.learn.network import CommentNetwork, load_encoder
from training.learn.predict import logits_of_ids
from training.ship.bundle import GraphRunner, write_bundle
from training.ship.evidence import add_evidence
from training.ship.export import export_float
from training.ship.quantise import calibration_feeds, quantise
from training.ship.vocabulary import tokenizer_of
from training.user_card import user_card
from training.user_table import FEWEST_SCORED, UserTable

EMBEDDED = Path(__file__).resolve().parents[1] / "models" / "default"
_EVIDENCE_TEXTS = 2_000
# Corrections are few and each is meant: of an epoch they are about this share, each in so many shapes.
_CORRECTED_SHARE = 0.25
_FEWEST_SHAPES, _MOST_SHAPES = 4, 16
_PLEASANT_CHARS = 60
_TEMPERATURES = np.geomspace(0.25, 8.0, 41)
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class UserTraining:
    """What a user can choose.

    `base`: an encoder's folder, or a bundle of this project; None: the embedded bundle. `clean_label`: the label of
    harmless text; None: `clean` or `정상`, if the table has one. `balanced`: rare labels weigh as much.
    """

    base: Path | None = None
    clean_label: str | None = None
    balanced: bool = False
    epochs: int = 4
    patience: int = 1
    learning_rate: float = 1e-4
    max_length: int = 128
    seed: int = 20


@dataclass(frozen=True)
class UserResult:
    """The finished bundle with its dev scores, measured on the int8 graph."""

    bundle: Bundle
    accuracy: float
    macro_f1: float
    by_label: dict[str, Confusion]
    dev_rows: int
    epochs_run: int
    # Texts by a label of theirs (row) and by a label that they were given (column).
    confusions: list[list[int]]


def train(table: UserTable, output: Path, choices: UserTraining, progress: Progress | None = None) -> UserResult:
    """Train on the table and write the bundle into folder `output`. `progress(step, steps, loss)` is called a step.

    Raises:
        ModelSourceError: the base cannot be used, or no label is called `clean_label`; the message says what to do.
    """
    _clean_label(table, choices)
    encoder, tokenizer = _base(choices.base or EMBEDDED)
    torch.manual_seed(choices.seed)
    with tempfile.TemporaryDirectory(prefix="kobert-training-") as work:
        run = _Run(table, CommentNetwork(encoder, len(table.names)), tokenizer, choices, Path(work))
        epochs_run = run.fit(progress)
        return run.finish(output, epochs_run)


def find_clean_label(labels: Sequence[str], wanted: str | None) -> str | None:
    """The label that means that nothing is wrong, as named or by a name that says it; None when there is none.

    Raises:
        ModelSourceError: no label is called `wanted`.
    """
    if wanted is None:
        return find_clean_name(labels)
    if wanted not in labels:
        raise ModelSourceError(f"no label is called {wanted!r}; the table has {', '.join(labels)}")
    return wanted


def _clean_label(table: UserTable, choices: UserTraining) -> str | None:
    return table.clean_name or find_clean_label(table.labels, choices.clean_label)


def _base(folder: Path) -> tuple[BertModel, Tokenizer]:
    if (folder / MANIFEST_FILE).is_file():
        return encoder_of_bundle(load_bundle(folder)), tokenizer_of(folder)
    return load_encoder(folder), tokenizer_of(folder)


class _Run:
    """One training run: the network, its data, and the best state so far."""

    def __init__(
        self, table: UserTable, network: CommentNetwork, tokenizer: Tokenizer, choices: UserTraining, work: Path
    ) -> None:
        self.table = table
        self.network = network
        self.tokenizer = tokenizer
        self.choices = choices
        self.work = work
        self.pad_id = int(network.encoder.config.pad_token_id or 0)
        self.max_length = min(choices.max_length, network.encoder.config.max_position_embeddings)
        self.is_single = table.clean_name is None
        self.members = np.array(table.members, dtype=np.float32)
        self.train_set = self._encoded(table.train)
        self.dev_set = self._encoded(table.dev)
        self.best: tuple[float, dict[str, torch.Tensor]] | None = None
        self.since_best = 0

    def _encoded(self, pairs: Sequence[tuple[str, int]]) -> TrainingSet:
        ids = encode(self.tokenizer, [normalise(text) for text, _ in pairs], self.max_length)
        return TrainingSet(ids, self.members[[label for _, label in pairs]])

    def fit(self, progress: Progress | None) -> int:
        """Train with early stopping; the best epoch's weights are in force afterwards. Returns the epochs run."""
        plan = FitPlan(epochs=self.choices.epochs, learning_rate=self.choices.learning_rate, seed=self.choices.seed)
        fit = Fit(self.network, plan, self.work, pad_id=self.pad_id)
        fit.loss = self._loss()
        fit.after_epoch = self._stop_after
        fit.run(self._epoch, progress)
        if self.best:
            self.network.load_state_dict(self.best[1])
        return fit.epochs_run

    def _loss(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        if not self.is_single:
            return balanced_label_loss(self.train_set.targets.tolist()) if self.choices.balanced else masked_loss
        counts = [int(count) for count in self.train_set.targets.sum(axis=0)]
        return balanced_class_loss(counts) if self.choices.balanced else class_loss

    def _epoch(self, _epoch: int, generator: Generator) -> TrainingSet:
        """The rows of the table, and each corrected text in several shapes."""
        if not self.table.corrected:
            return self.train_set
        lessons = self._encoded(self._reshaped(generator))
        targets = np.concatenate([self.train_set.targets, lessons.targets])
        return TrainingSet([*self.train_set.ids, *lessons.ids], targets)

    def _reshaped(self, generator: Generator) -> list[tuple[str, int]]:
        table = self.table
        clean = find_clean_label(table.labels, self.choices.clean_label) if self.is_single else ""
        harmless = [text for text, label in table.train if table.labels[label] == clean]
        pleasant = [text for text in harmless if len(text) < _PLEASANT_CHARS]
        shapes = round(_CORRECTED_SHARE * len(table.train) / len(table.corrected))
        return [
            (reshaped(text, generator, is_clean=table.labels[label] == clean, pleasant=pleasant), label)
            for text, label in table.corrected
            for _ in range(min(max(shapes, _FEWEST_SHAPES), _MOST_SHAPES))
        ]

    def _stop_after(self, _epoch: int) -> bool:
        # Accuracy would choose an epoch that has forgotten a rare label.
        is_plain = self.is_single and not self.choices.balanced
        score = (_accuracy if is_plain else self._macro_f1)(self._dev_logits(), self.dev_set.targets)
        if self.best is None or score > self.best[0]:
            self.best = (score, {name: value.clone() for name, value in self.network.state_dict().items()})
            self.since_best = 0
            return False
        self.since_best += 1
        return self.since_best > self.choices.patience

    def _dev_logits(self) -> Floats:
        return logits_of_ids(self.network, self.dev_set.ids, self.pad_id)

    def finish(self, output: Path, epochs_run: int) -> UserResult:
        """Calibrate by a temperature, export, quantise, write, and score what was written."""
        temperature = best_temperature(self._dev_logits(), self.dev_set.targets) if self.is_single else 1.0
        with torch.no_grad():
            self.network.head.weight.div_(temperature)
            self.network.head.bias.div_(temperature)
        export_float(self.network, self.work / "float.onnx", max_length=self.max_length)
        feeds = calibration_feeds(self.train_set.ids, self.pad_id)
        quantise(self.work / "float.onnx", self.work / "int8.onnx", feeds)
        windows = Windows(self.max_length)
        runner = GraphRunner(self.work / "int8.onnx", self.tokenizer, windows=windows, pad_id=self.pad_id, threads=1)
        config = self._config(output.name, runner)
        add_evidence(self.work / "int8.onnx", runner, [text for text, _ in self.table.train][:_EVIDENCE_TEXTS])
        bundle = write_bundle(output, config, self.work / "int8.onnx", self.tokenizer, "")
        result = self._score(bundle, epochs_run)
        return replace(result, bundle=self._with_card(result))

    def _config(self, name: str, runner: GraphRunner) -> BundleConfig:
        return BundleConfig(
            format_version=FORMAT_VERSION,
            name=name,
            problem_type="single_label_classification" if self.is_single else "multi_label_classification",
            labels=self.table.names,
            thresholds={} if self.is_single else self._thresholds(runner.logits_of_ids(self.dev_set.ids)),
            max_length=self.max_length,
            pad_token_id=self.pad_id,
            clean_label=_clean_label(self.table, self.choices),
            normaliser=CURRENT,
        )

    def _thresholds(self, logits: Floats) -> dict[str, float]:
        """The threshold of each label with the best F1 on the scored texts; 0.5 where these are too few to tell."""
        scores, truth = sigmoid(logits), self.dev_set.targets > 0
        return {
            name: best_threshold(scores[:, at], truth[:, at]) if truth[:, at].sum() >= FEWEST_SCORED else 0.5
            for at, name in enumerate(self.table.names)
        }

    def _macro_f1(self, logits: Floats, targets: Floats) -> float:
        """The mean F1 of the labels that the targets have."""
        truth = targets > 0
        chosen = np.arange(logits.shape[1]) == logits.argmax(axis=1)[:, None] if self.is_single else logits > 0
        present = np.flatnonzero(truth.any(axis=0))
        return float(np.mean([confusion(chosen[:, at], truth[:, at]).f1 for at in present]))

    def _with_card(self, result: UserResult) -> Bundle:
        """The bundle with its scores in its card; the card is a part of its revision."""
        folder = result.bundle.path
        card = user_card(
            result.bundle.config,
            rows=(len(self.table.train) + len(self.table.corrected), len(self.table.corrected), result.dev_rows),
            accuracy=result.accuracy,
            scores=result.by_label,
            confusions=result.confusions,
        )
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
        write_manifest(folder)
        return load_bundle(folder)

    def _score(self, bundle: Bundle, epochs_run: int) -> UserResult:
        logits = GraphRunner.of_bundle(bundle).logits_of_ids(self.dev_set.ids)
        truth, names = self.dev_set.targets > 0, self.table.names
        if self.is_single:
            chosen = np.arange(len(names)) == logits.argmax(axis=1)[:, None]
        else:
            chosen = sigmoid(logits) >= np.array([bundle.config.thresholds[name] for name in names])
        # A label that only corrections have is scored on nothing.
        scored = [(at, name) for at, name in enumerate(names) if truth[:, at].any()]
        by_label = {name: confusion(chosen[:, at], truth[:, at]) for at, name in scored}
        return UserResult(
            bundle=bundle,
            accuracy=float((chosen == truth).all(axis=1).mean()),
            macro_f1=float(np.mean([counts.f1 for counts in by_label.values()])),
            by_label=by_label,
            dev_rows=len(truth),
            epochs_run=epochs_run,
            confusions=(truth.astype(np.int64).T @ chosen).tolist(),
        )


def best_threshold(scores: Floats, truth: Flags) -> float:
    """The threshold from 0.1 to 0.9 with the highest F1; of several, the one nearest to 0.5."""

    def rank(threshold: float) -> tuple[float, float]:
        return confusion(scores >= threshold, truth).f1, -abs(threshold - 0.5)

    return max((round(float(step), 2) for step in np.arange(0.1, 0.91, 0.05)), key=rank)


def best_temperature(logits: Floats, targets: Floats) -> float:
    """The temperature that makes the softmax scores of `logits` most likely (Guo et al., 2017), by search."""

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return -float((targets * (scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True)))).sum())

    return float(min(_TEMPERATURES, key=loss))


def _accuracy(logits: Floats, targets: Floats) -> float:
    return float((logits.argmax(axis=1) == targets.argmax(axis=1)).mean())
