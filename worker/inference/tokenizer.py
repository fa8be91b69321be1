"""Turns a text into windows of token ids. Runs in the task threads, never in a model thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

from tokenizers import Encoding, Tokenizer

from bundles.format import Bundle
from bundles.text.normalise import CURRENT, NORMALISERS, normalise_once
from bundles.text.offsets import TracedText, trace
from bundles.text.words import Range
from bundles.windows import Windows, places_of, rows_of, whole_windows
from shared.errors import BundleInvalidError, TextRejectedError
from worker.inference.plain_texts import is_plain, without_normaliser


@dataclass(frozen=True)
class TracedWindows:
    """The windows of a text, and for each token of each, special ones aside, its range in the normalised text."""

    traced: TracedText
    windows: list[list[int]]
    token_ranges: list[Sequence[Range]]


class BundleTokenizer:
    """The tokenizer of one bundle, with its special tokens and its normaliser.

    Raises:
        BundleInvalidError: `tokenizer.json` cannot be read, or the config names an unknown normaliser.
    """

    def __init__(self, bundle: Bundle, max_windows: int) -> None:
        self._tokenizer = _load(bundle)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # A comment that contains "[SEP]" is read as those five characters, whatever the tokenizer calls special.
        self._tokenizer.encode_special_tokens = True
        self._bare = without_normaliser(self._tokenizer)
        self._prefix, self._suffix = _special_tokens(self._tokenizer)
        config = bundle.config
        self._window_tokens = config.max_length - len(self._prefix) - len(self._suffix)
        self._windows = Windows(self._window_tokens, config.window_overlap, config.sentence_discount)
        self._max_windows = max_windows
        self._normaliser = bundle.config.normaliser
        self._normalise = _normaliser(bundle)
        if self._window_tokens < 1:
            raise BundleInvalidError(f"max_length {bundle.config.max_length} leaves no room for a token")

    def encode(self, texts: Sequence[str]) -> list[list[list[int]]]:
        """Windows of token ids, special tokens included, for each text."""
        return self.encode_normalised([self._normalise(text) for text in texts])

    def normalise(self, text: str) -> str:
        """The text as the model reads it."""
        return self._normalise(text)

    def encode_normalised(self, texts: Sequence[str]) -> list[list[list[int]]]:
        """As `encode`, of texts that are normalised."""
        return [self._windows_of(text, encoding) for text, encoding in zip(texts, self._encodings(texts), strict=True)]

    def _windows_of(self, text: str, encoding: Encoding) -> list[list[int]]:
        whole, sentences = self._places(text, encoding)
        ends = (self._prefix, self._suffix)
        return rows_of(encoding.ids, whole, sentences, ends, self._windows.sentence_discount)

    def _encodings(self, texts: Sequence[str]) -> list[Encoding]:
        if self._bare is None:
            return self._encode(self._tokenizer, texts)
        are_plain = [bool(is_plain(text)) for text in texts]
        plain = self._encode(self._bare, list(compress(texts, are_plain)))
        if len(plain) == len(texts):
            return plain
        rest = [text for text, plainly in zip(texts, are_plain, strict=True) if not plainly]
        others = iter(self._encode(self._tokenizer, rest))
        plainly_encoded = iter(plain)
        return [next(plainly_encoded if plainly else others) for plainly in are_plain]

    def _encode(self, tokenizer: Tokenizer, texts: Sequence[str]) -> list[Encoding]:
        # Of a batch each text goes to a thread of the library's own, which takes a single text longer than reading it;
        # and every text, where it also has to say where the tokens stand.
        if len(texts) == 1 or self._windows.sentence_discount is not None:
            return [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        return tokenizer.encode_batch_fast(texts, add_special_tokens=False)

    def encode_traced(self, text: str) -> TracedWindows:
        """The windows of one text, with where in it each token is."""
        traced = trace(text, self._normaliser)
        encoding = self._tokenizer.encode(traced.text, add_special_tokens=False)
        whole, sentences = self._places(traced.text, encoding)
        ranges: list[Sequence[Range]] = [encoding.offsets[place] for place in (*whole, *sentences)]
        return TracedWindows(traced, self._windows_of(traced.text, encoding), ranges)

    @property
    def special_tokens(self) -> tuple[int, int]:
        """How many special tokens a window has before and after those of the text."""
        return len(self._prefix), len(self._suffix)

    def _places(self, text: str, encoding: Encoding) -> tuple[list[slice], list[slice]]:
        return places_of(text, len(encoding), lambda: encoding.offsets, self._windows)

    def check_length(self, windows: Sequence[Sequence[int]]) -> None:
        """Refuse a text with more windows than MAX_WINDOWS; sentences that are read besides do not count.

        Raises:
            TextRejectedError: with the number of windows and the setting.
        """
        if len(windows) <= self._max_windows:
            return
        whole = len(whole_windows(windows))
        if whole > self._max_windows:
            raise TextRejectedError(
                f"the text is {whole} windows of {self._window_tokens} tokens long; "
                f"at most {self._max_windows} are read (MAX_WINDOWS). Split the text",
                code="text_too_long",
                param="text",
            )


def _load(bundle: Bundle) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(bundle.tokenizer_path))
    except Exception as error:  # the library raises bare Exception
        raise BundleInvalidError(f"{bundle.tokenizer_path} cannot be read: {error}") from error


def _special_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special ids that the tokenizer puts before and after a text."""
    probe = "가"
    plain = tokenizer.encode(probe, add_special_tokens=False).ids
    wrapped = tokenizer.encode(probe, add_special_tokens=True).ids
    start = next(i for i in range(len(wrapped) - len(plain) + 1) if wrapped[i : i + len(plain)] == plain)
    return wrapped[:start], wrapped[start + len(plain) :]


def _normaliser(bundle: Bundle) -> Callable[[str], str]:
    name = bundle.config.normaliser
    if name is None:
        return str
    try:
        return normalise_once if name == CURRENT else NORMALISERS[name]
    except KeyError:
        raise BundleInvalidError(
            f"the bundle wants the normaliser {name!r}; this version has {', '.join(sorted(NORMALISERS))}"
        ) from None
