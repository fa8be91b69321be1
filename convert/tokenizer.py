"""The tokenizer of a source: its `tokenizer.json`, or one built from its SentencePiece model or word pieces."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from bundles.sources.conversion import ConversionRequest
from convert.json_file import read_json
from convert.sentencepiece_tokenizer import (
    KOBERT_SPECIALS,
    SENTENCEPIECE_SPECIALS,
    LegacyTokenizer,
    build_tokenizer,
    own_ids,
    unmatched,
)
from convert.vocabulary import VocabSpecials, Vocabulary, read_vocabulary
from shared.errors import ModelSourceError

_WORD_CHARS = 100  # a longer word is unknown, as in transformers


def choose_tokenizer(
    files: Mapping[str, Path], request: ConversionRequest, warn: Callable[[str], None]
) -> tuple[Tokenizer, str]:
    """The tokenizer of a source's `files` (by role), and a name for it.

    Raises:
        ModelSourceError: it is missing or damaged, or its files contradict each other.
    """
    options, words = request.options, files.get("word_pieces")
    if "tokenizer" in files:
        return load_tokenizer_json(files["tokenizer"]), files["tokenizer"].name
    if "sentencepiece" in files:
        path = files["sentencepiece"]
        vocabulary = _vocabulary(files.get("vocabulary"), options.vocab_specials, warn) or _word_list(words)
        tokenizer = from_sentencepiece(path, vocabulary, options.vocab_specials, options.legacy_tokenizer)
        return tokenizer, f"{path.name}, read as {options.legacy_tokenizer} does"
    if words is not None:
        return from_word_pieces(words, read_json(files.get("tokenizer_config"))), words.name
    raise ModelSourceError(f"{request.source} has no tokenizer: add tokenizer.json, spiece.model or vocab.txt")


def pad_token_id(tokenizer: Tokenizer) -> int:
    """The padding id. The attention mask hides padding, so 0 serves if the tokenizer has none."""
    ids = (tokenizer.token_to_id(token) for token in ("[PAD]", unmatched("[PAD]"), "<pad>"))
    return next((index for index in ids if index is not None), 0)


def load_tokenizer_json(path: Path) -> Tokenizer:
    """Read a `tokenizer.json` and switch off its padding and truncation."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise ModelSourceError(f"{path.name} is not a file of the tokenizers library: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def from_sentencepiece(
    path: Path, vocabulary: Vocabulary | None, order: VocabSpecials, flavour: LegacyTokenizer
) -> Tokenizer:
    """A tokenizer of a SentencePiece model; ids are the vocabulary's where there is one, else the model's own.

    Raises:
        ModelSourceError: the model has ids of its own kind and no vocabulary says which ids the checkpoint knows.
    """
    ids = vocabulary.token_ids(order if vocabulary.specials_differ() else "file") if vocabulary else own_ids(path)
    missing = [token for token in KOBERT_SPECIALS[:4] if token not in ids]
    if missing and set(SENTENCEPIECE_SPECIALS) & set(ids):
        raise ModelSourceError(
            f"{path.name} uses its own ids; add the vocab.pkl (or kobertvocab_*.json) that has the ids, "
            "or use spiece.model of skt/kobert-base-v1"
        )
    if missing:
        raise ModelSourceError(f"the vocabulary has no {', '.join(missing)}")
    return build_tokenizer(path, ids, flavour)


def from_word_pieces(path: Path, config: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a BERT `vocab.txt`, as transformers' BertTokenizer makes it."""
    tokens = path.read_text(encoding="utf-8").splitlines()
    ids = {token: index for index, token in enumerate(tokens)}
    missing = [token for token in ("[UNK]", "[CLS]", "[SEP]", "[PAD]") if token not in ids]
    if missing:
        raise ModelSourceError(f"{path.name} has no {', '.join(missing)}, so it is not the vocabulary of a BERT")
    lowercase = bool(config.get("do_lower_case", True))
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token=KOBERT_SPECIALS[0], max_input_chars_per_word=_WORD_CHARS))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(config.get("tokenize_chinese_chars", True)),
        strip_accents=config.get("strip_accents"),
        lowercase=lowercase,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, ids[token]) for token in ("[CLS]", "[SEP]")]
    )
    return tokenizer


def _vocabulary(path: Path | None, order: VocabSpecials, warn: Callable[[str], None]) -> Vocabulary | None:
    if path is None:
        return None
    vocabulary = read_vocabulary(path)
    if vocabulary.specials_differ():
        used = "KoBERT's" if order == "kobert" else "the file's"
        warn(
            f"{path.name} numbers the special tokens {', '.join(vocabulary.tokens[:5])}, and KoBERT "
            f"{', '.join(KOBERT_SPECIALS)}; {used} order is used, and VOCAB_SPECIALS (kobert or file) chooses"
        )
    return vocabulary


def _word_list(path: Path | None) -> Vocabulary | None:
    """The ids that a `vocab.txt` gives the pieces of a SentencePiece model, as monologg/kobert has it."""
    return Vocabulary(tuple(path.read_text(encoding="utf-8").splitlines()), {}) if path else None
