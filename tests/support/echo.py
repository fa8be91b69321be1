"""A bundle and an engine whose scores say which text they belong to.

The tokenizer has one token a byte, and the engine's logits are a hash of the tokens, so a test can tell from a reply's
scores whether it is that of its own text. Everything around the engine is the product's own.

Run as a module it is a whole worker: `python -m tests.support.echo`. What it does with its texts is set in the
environment: ECHO_PASS_S (seconds a pass takes), ECHO_POISON (a text on which the engine raises), ECHO_HANG (a text on
which it hangs), ECHO_KILL (a text on which the process is killed), ECHO_CRASH (a text on which native code reads where
there is nothing), ECHO_TRIGGERS (a folder: a file `stuck` or `dead` in it is taken by the first pass that sees it,
which then hangs, or ends its thread).
"""

import ctypes
import functools
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing

from bundles.format import Bundle, write_manifest
from worker.inference.engines.protocol import Logits

LABELS = ["clean", "curse", "insult", "hate"]
MAX_LENGTH = 64
SPECIALS = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2}


def write_echo_bundle(path: Path, **config: object) -> Path:
    """Write the bundle to `path`; `config` replaces fields of its config.json."""
    path.mkdir(parents=True)
    _tokenizer().save(str(path / "tokenizer.json"))
    (path / "model.onnx").write_bytes(b"the echo engine reads no graph")
    fields = {
        "format_version": 1,
        "name": "echo",
        "problem_type": "single_label_classification",
        "labels": LABELS,
        "clean_label": "clean",
        "max_length": MAX_LENGTH,
        "pad_token_id": 0,
        **config,
    }
    (path / "config.json").write_text(json.dumps(fields))
    write_manifest(path)
    return path


def echo_logits(token_ids: Sequence[int], labels: int = len(LABELS)) -> Logits:
    """Logits `[labels]` that only these tokens have."""
    digest = hashlib.sha256(bytes(str(list(token_ids)), "ascii")).digest()
    return np.frombuffer(digest[: 2 * labels], dtype=np.uint16).astype(np.float32) / np.float32(2**14)


def echo_scores(text: str) -> dict[str, float]:
    """What the service must answer for a `text` of one window: softmax of its logits, rounded as replies are."""
    ids = [SPECIALS["[CLS]"], *_tokenizer().encode(text, add_special_tokens=False).ids, SPECIALS["[SEP]"]]
    exponentials = np.exp(echo_logits(ids).astype(np.float64))
    scores = exponentials / exponentials.sum()
    return {label: round(float(score), 4) for label, score in zip(LABELS, scores, strict=True)}


class ThreadEnd(BaseException):
    """Raised to end the model's thread: no handler of errors takes it."""


class EchoEngine:
    """An engine that computes `echo_logits`, at the speed and with the faults that the environment asks for."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
        self._labels = len(bundle.config.labels)
        self._pass_s = float(os.environ.get("ECHO_PASS_S", "0"))
        self._poison = _tokens_of(tokenizer, "ECHO_POISON")
        self._hang = _tokens_of(tokenizer, "ECHO_HANG")
        self._kill = _tokens_of(tokenizer, "ECHO_KILL")
        self._crash = _tokens_of(tokenizer, "ECHO_CRASH")
        triggers = os.environ.get("ECHO_TRIGGERS")
        self._triggers = None if triggers is None else Path(triggers)

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        time.sleep(self._pass_s)
        if self._is_triggered("stuck"):
            time.sleep(3600)
        if self._is_triggered("dead"):
            raise ThreadEnd
        # What begins so, since a text that crashed once is known from then on and never read again.
        if self._crash and any(list(row[1 : 1 + len(self._crash)]) == self._crash for row in rows):
            ctypes.string_at(0)
        if any(list(row[1:-1]) == self._hang for row in rows):
            time.sleep(3600)
        if any(list(row[1:-1]) == self._kill for row in rows):
            os.kill(os.getpid(), signal.SIGKILL)
        if any(list(row[1:-1]) == self._poison for row in rows):
            raise FloatingPointError("the poisoned text")
        return np.stack([echo_logits(row, self._labels) for row in rows])

    def _is_triggered(self, name: str) -> bool:
        """Whether the file is there; whoever sees it first takes it away."""
        if self._triggers is None:
            return False
        try:
            (self._triggers / name).unlink()
        except FileNotFoundError:
            return False
        return True


@functools.cache
def _tokenizer() -> Tokenizer:
    alphabet = sorted(ByteLevel.alphabet())
    vocabulary = {**SPECIALS, **{symbol: index + len(SPECIALS) for index, symbol in enumerate(alphabet)}}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", SPECIALS["[CLS]"]), ("[SEP]", SPECIALS["[SEP]"])]
    )
    return tokenizer


def _tokens_of(tokenizer: Tokenizer, variable: str) -> list[int] | None:
    text = os.environ.get(variable)
    return None if text is None else tokenizer.encode(text, add_special_tokens=False).ids


if __name__ == "__main__":
    from worker.main import main

    sys.exit(main(EchoEngine))
