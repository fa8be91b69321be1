"""Where a run of the pipeline keeps what it makes, and the rows, encoder and tokenizer that it starts from."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from bundles.activations import Feeds
from bundles.text.normalise import normalise
from bundles.windows import Windows
from shared.errors import ModelSourceError
from training.corrections import read_corrections
from training.data.batches import Floats, encode
from training.data.made_up import made_up_rows
from training.data.prepare import CORRECTIONS, MADE_UP, correction_rows, training_rows
from training.data.sources import Row, file_hashes, read_folder
from training.learn.network import load_encoder, new_encoder
from training.plan import Plan
from training.ship.bundle import GraphRunner
from training.ship.quantise import calibration_feeds
from training.ship.vocabulary import tokenizer_of

EMBEDDED = Path(__file__).resolve().parents[1] / "models" / "default"
_CALIBRATION_TEXTS = 640
_CALIBRATION_DRAW = 3


@dataclass(frozen=True)
class Workspace:
    """The folders of a run.

    `data`: the labelled files, None for made-up rows; `base`: the encoder that the teacher starts from; `start`: the
    bundle whose encoder the students start from; `work`: what the run makes; `corrections`: an export of what people
    put right, None for none.
    """

    plan: Plan
    base: Path
    work: Path
    data: Path | None
    start: Path = EMBEDDED
    corrections: Path | None = None

    @cached_property
    def rows(self) -> list[Row]:
        """Every row there is, dev rows and held-out ones included."""
        return read_folder(self.data) if self.data else made_up_rows(self.plan.seed)

    @cached_property
    def train(self) -> list[Row]:
        """The rows to learn from."""
        put_right: list[Row] = []
        if self.corrections is not None:
            taught = read_corrections(self.corrections)
            put_right = correction_rows((one.text, one.classification) for one in taught.texts)
        return one_in(self.plan.made_up_one_in, training_rows(self.rows, put_right))

    @cached_property
    def dev(self) -> list[Row]:
        """The rows to choose thresholds on and to report."""
        return [row for row in self.rows if row.split == "dev"]

    @cached_property
    def comments(self) -> list[str]:
        """Unlabelled comments: what a news site's readers write."""
        return [row.text for row in self.rows if row.source == "unlabelled_comments"]

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

    def runner(self, path: Path, windows: Windows) -> GraphRunner:
        """Runs a graph that was exported from a network of this workspace."""
        return GraphRunner(path, self.tokenizer, windows=windows, pad_id=self.pad_id)

    def hashes(self) -> dict[str, str]:
        """sha256 of each file that is trained on."""
        return file_hashes(self.data) if self.data else {}


def one_in(number: int, rows: list[Row]) -> list[Row]:
    """Keep one in `number` of each source's texts that come from no labelled file, and all others."""
    places: dict[str, Iterator[int]] = {}
    return [
        row
        for row in rows
        if not _is_made_up(row.source) or next(places.setdefault(row.source, itertools.count())) % number == 0
    ]


def _is_made_up(source: str) -> bool:
    return ("/" in source or source in MADE_UP) and source != CORRECTIONS


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
