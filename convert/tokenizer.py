"""The tokenizer of a source: its `tokenizer.json`, or one built from its SentencePiece model or word pieces."""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers

from bundles.architecture import find_model_type, refuse_own_code
from bundles.model_config import read_model_config
from bundles.sources.conversion import ConversionRequest
from bundles.text.sentencepiece import enclose
from convert.added_tokens import add_tokens, is_structure
from convert.json_file import read_json
from convert.sentencepiece_tokenizer import (
    KOBERT_SPECIALS,
    SENTENCEPIECE_SPECIALS,
    LegacyTokenizer,
    build_tokenizer,
    build_xlm_tokenizer,
    own_ids,
    unmatched,
)
from convert.unknown_words import MOST_UNKNOWN, unknown_share
from convert.vocabulary import VocabSpecials, Vocabulary, read_vocabulary
from convert.word_pieces import as_configured, compare_words, from_word_pieces, word_lines
from shared.errors import ModelSourceError


def choose_tokenizer(
    files: Mapping[str, Path], request: ConversionRequest, warn: Callable[[str], None]
) -> tuple[Tokenizer, str]:
    """The tokenizer of a source's `files` (by role), and a name for it.

    Raises:
        ModelSourceError: it is missing or damaged, or its files contradict each other.
    """
    options, words = request.options, files.get("word_pieces")
    if request.is_exported and "tokenizer" not in files:
        return load_by_transformers(files, request.source)
    if "tokenizer" in files:
        tokenizer, name = load_tokenizer_json(files["tokenizer"]), files["tokenizer"].name
        tokenizer = as_configured(tokenizer, read_json(files.get("tokenizer_config")), warn)
        compare_words(tokenizer, words, warn)
        unknown = unknown_share(tokenizer)
        if unknown <= MOST_UNKNOWN or "sentencepiece" not in files:
            return tokenizer, name
        instead = files["sentencepiece"].name
        warn(f"{name} does not know {unknown:.0%} of Korean sample texts; {instead} is read instead")
    if "sentencepiece" in files and _is_xlm(files):
        tokenizer = build_xlm_tokenizer(files["sentencepiece"])
        add_tokens(tokenizer, files.get("added_tokens"), files.get("tokenizer_config"))
        return tokenizer, files["sentencepiece"].name
    if "sentencepiece" in files:
        path = files["sentencepiece"]
        vocabulary = _vocabulary(files.get("vocabulary"), options.vocab_specials, warn) or _word_list(words)
        tokenizer = from_sentencepiece(path, vocabulary, options.vocab_specials, options.legacy_tokenizer)
        add_tokens(tokenizer, files.get("added_tokens"), files.get("tokenizer_config"))
        return tokenizer, f"{path.name}, read as {options.legacy_tokenizer} does"
    if words is not None:
        tokenizer = from_word_pieces(words, read_json(files.get("tokenizer_config")))
        add_tokens(tokenizer, files.get("added_tokens"), files.get("tokenizer_config"))
        return tokenizer, words.name
    if "byte_pairs" in files and "merges" in files:
        tokenizer = from_byte_pairs(files["byte_pairs"], files["merges"], read_json(files.get("tokenizer_config")))
        add_tokens(tokenizer, files.get("added_tokens"), files.get("tokenizer_config"))
        return tokenizer, files["byte_pairs"].name
    raise ModelSourceError(f"{request.source} has no tokenizer: add tokenizer.json, spiece.model or vocab.txt")


def load_by_transformers(files: Mapping[str, Path], source: str) -> tuple[Tokenizer, str]:
    """The tokenizer that transformers' own classes make of the files of a model that it exports.

    Raises:
        ModelSourceError: they cannot, or it would take code of the source's own.
    """
    refuse_own_code(read_json(files.get("tokenizer_config")).get("auto_map"), source)
    by_transformers = import_module("convert.transformers_tokenizer")  # an optional part; its import takes seconds
    name = next((files[role].name for role in ("sentencepiece", "word_pieces", "byte_pairs") if role in files), "")
    return _with_own_tokens_matched(by_transformers.convert_tokenizer(files, source)), f"{name}, read by transformers"


def pad_token_id(tokenizer: Tokenizer) -> int:
    """The padding id. The attention mask hides padding, so 0 serves if the tokenizer has none."""
    ids = (tokenizer.token_to_id(token) for token in ("[PAD]", unmatched("[PAD]"), "<pad>", unmatched("<pad>")))
    return next((index for index in ids if index is not None), 0)


def load_tokenizer_json(path: Path) -> Tokenizer:
    """Read a `tokenizer.json` and switch off its padding and truncation."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise ModelSourceError(f"{path.name} is not a file of the tokenizers library: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return _with_own_tokens_matched(tokenizer)


def _with_own_tokens_matched(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer, with special tokens of the trainer's own (`[NAME]`, `<url>`) marked as ordinary added ones.

    A worker never matches special tokens in a text, lest a comment that says "[SEP]" ends itself; these stand in texts.
    """
    fields = json.loads(tokenizer.to_str())
    for token in fields["added_tokens"]:
        token["special"] = token["special"] and is_structure(token["content"])
    return Tokenizer.from_str(json.dumps(fields))


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


def from_byte_pairs(path: Path, merges: Path, config: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a byte-level BPE, `vocab.json` and `merges.txt`, as transformers' RobertaTokenizer makes it.

    Raises:
        ModelSourceError: a file is damaged, or the special tokens of a RoBERTa are missing.
    """
    ids = read_json(path)
    missing = [token for token in ("<s>", "</s>", "<pad>", "<unk>") if not isinstance(ids.get(token), int)]
    if missing:
        raise ModelSourceError(f"{path.name} has no {', '.join(missing)}, so it is not the vocabulary of a RoBERTa")
    try:
        tokenizer = Tokenizer(models.BPE.from_file(str(path), str(merges), unk_token="<unk>"))  # noqa: S106  a token
    except Exception as error:  # the library raises bare Exception
        raise ModelSourceError(f"{merges.name} does not belong to {path.name}: {error}") from error
    spaced = bool(config.get("add_prefix_space", False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=spaced)
    enclose(tokenizer, ("<s>", ids["<s>"]), ("</s>", ids["</s>"]))
    return tokenizer


def _is_xlm(files: Mapping[str, Path]) -> bool:
    """Whether its model or its tokenizer is that of XLM-R: multilingual-e5 is a BERT with XLM-R's tokenizer."""
    kind = str(read_json(files.get("tokenizer_config")).get("tokenizer_class"))
    config = files.get("config")
    is_model = config is not None and find_model_type(read_model_config(config)) == "xlm-roberta"
    return is_model or kind.startswith("XLMRobertaTokenizer")


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
    return Vocabulary(tuple(word_lines(path)), {}) if path else None
