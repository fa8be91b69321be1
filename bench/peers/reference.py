"""What answers are held to: the engine's own, one text at a time."""

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from bench.peers.contenders import Contender
from bench.peers.service import Service
from bundles.sources.resolver import resolve
from bundles.windows import discount_of
from shared.settings import load_settings
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge

# A contender that is held to its own answers is asked again for so many of them.
_ASKED_AGAIN = 10


class References:
    """The right word of each text, found out when it is first asked for."""

    def __init__(self) -> None:
        settings = load_settings(model="default")
        self._bundle = resolve(settings)
        self._engine = OnnxEngine(self._bundle, settings.pass_threads)
        self._tokenizer = BundleTokenizer(self._bundle, settings.max_windows)
        self._judge = Judge(self._bundle.config, {})
        self._words: dict[str, str] = {}
        self._plain_tokenizer = Tokenizer.from_file(str(self._bundle.path / "tokenizer.json"))
        self._plain_tokenizer.no_padding()
        self._plain_tokenizer.enable_truncation(self._bundle.config.max_length)

    def share_right(self, service: Service, answers: Sequence[tuple[Sequence[str], bytes]]) -> tuple[float, int]:
        """Of the texts whose answers were kept, the share that got the right word, and how many they are.

        `answers` are the texts of a request with the body that came back.
        """
        contender = service.contender
        kept = answers[:_ASKED_AGAIN] if contender.reference == "itself" else answers
        compared = equal = 0
        for group, body in kept:
            words = contender.words(body)
            compared += len(group)
            if len(words) == len(group):
                equal += sum(
                    self._right(service, contender, text) == word for text, word in zip(group, words, strict=True)
                )
        return (equal / compared if compared else 1.0), compared

    def _right(self, service: Service, contender: Contender, text: str) -> str:
        if contender.reference == "itself":
            return service.words_alone(text)[0]
        return self._word(text) if contender.reference == "engine" else self._best_label(text)

    def _word(self, text: str) -> str:
        if text not in self._words:
            windows = self._tokenizer.encode([text])[0]
            self._words[text] = self._judge.judge(
                [self._engine.run([window])[0] - np.float32(discount_of(window)) for window in windows]
            ).classification
        return self._words[text]

    def _best_label(self, text: str) -> str:
        """The label that scores highest, of the text as it was sent: no normaliser, no thresholds, no second window."""
        logits = self._engine.run([self._plain_tokenizer.encode(text).ids])[0]
        return self._bundle.config.labels[int(logits.argmax())]
