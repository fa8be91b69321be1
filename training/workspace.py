"""Where a run of the pipeline keeps what it makes, and the rows, encoder and tokenizer that it starts from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from bundles.text.normalise import normalise
from shared.errors import ModelSourceError
from training.data.batches import Floats, encode
from training.data.made_up import made_up_rows
from training.data.prepare import training_rows
from training.data.sources import EVERYDAY, Row, file_hashes, read_folder
from training.learn.network import CommentNetwork, load_encoder, new_encoder
from training.plan import Plan
from training.ship.bundle import GraphRunner
from training.ship.export import export_float
from training.ship.quantise import Feeds, calibration_feeds, quantise
from training.ship.vocabulary import tokenizer_of

_CALIBRATION_TEXTS = 640
_CALIBRATION_DRAW = 3


@dataclass(frozen=True)
class Workspace:
    """`data`: folder of the labelled files, None for made-up rows. `base`: folder of the encoder. `work`: ours."""

    plan: Plan
    base: Path
    work: Path
    data: Path | None

    @cached_property
    def rows(self) -> list[Row]:
        """Every row there is, dev rows and held-out ones included."""
        return read_folder(self.data) if self.data else made_up_rows(self.plan.seed)

    @cached_property
    def train(self) -> list[Row]:
        """The rows to learn from."""
        return training_rows(self.rows)

    @cached_property
    def dev(self) -> list[Row]:
        """The rows to choose thresholds on and to report: of the sources that the plan's bundles answer for."""
        reviews, comments = "sentiment" in self.plan.bundles, "default" in self.plan.bundles
        dev = [row for row in self.rows if row.split == "dev"]
        return [row for row in dev if (reviews if row.source == "nsmc" else comments)]

    @cached_property
    def everyday(self) -> list[Row]:
        """Everyday sentences held out of training, to see how many are wrongly flagged."""
        return [row for row in self.rows if row.source == EVERYDAY and row.split == "held out"]

    def calibration(self, name: str) -> list[Feeds]:
        """Batches of training texts, to choose the scales of int8 activations by, for what is trained in `name`."""
        generator = np.random.default_rng([self.plan.seed, self.plan.calibration_draws.get(name, _CALIBRATION_DRAW)])
        drawn = generator.permutation(len(self.train))[:_CALIBRATION_TEXTS]
        texts = [normalise(self.train[index].text) for index in drawn]
        return calibration_feeds(encode(self.tokenizer, texts, self.plan.max_length), self.pad_id)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The encoder's tokenizer."""
        return tokenizer_of(self.base)

    @cached_property
    def pad_id(self) -> int:
        """The id that fills shorter rows."""
        pad_id = self.tokenizer.token_to_id("<pad>")
        if pad_id is None:
            raise ModelSourceError(f"the tokenizer in {self.base} has no <pad>")
        return int(pad_id)

    def encoder(self) -> BertModel:
        """The encoder that the teacher starts from."""
        tiny = self.plan.tiny
        if tiny is None:
            return load_encoder(self.base)
        torch.manual_seed(self.plan.seed)
        config = BertConfig(
            vocab_size=self.tokenizer.get_vocab_size(),
            hidden_size=tiny.width,
            num_hidden_layers=tiny.layers,
            num_attention_heads=tiny.heads,
            intermediate_size=4 * tiny.width,
            pad_token_id=self.pad_id,
        )
        return new_encoder(config)

    def runner(self, name: str, network: CommentNetwork, *, int8: bool = True) -> GraphRunner:
        """The network's graph with its signals as outputs, int8 or float, made in folder `name` if it is not there."""
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        float_path, int8_path = folder / "float.onnx", folder / "int8.onnx"
        if not int8_path.is_file():
            export_float(network, float_path, max_length=self.plan.max_length)
            quantise(float_path, int8_path, self.calibration(name))
        path = int8_path if int8 else float_path
        return GraphRunner(path, self.tokenizer, max_length=self.plan.max_length, pad_id=self.pad_id)

    def hashes(self) -> dict[str, str]:
        """sha256 of each file that is trained on."""
        return file_hashes(self.data) if self.data else {}


def load_or_compute(path: Path, compute: Callable[[], Floats]) -> Floats:
    """The array in `path`, or the computed one, written there first: an interrupted run does not label twice."""
    if path.is_file():
        stored: Floats = np.load(path)["values"]
        return stored
    values = compute()
    partial = path.with_name(f"{path.stem}.partial.npz")
    np.savez(partial, values=values)
    partial.replace(path)
    return values
