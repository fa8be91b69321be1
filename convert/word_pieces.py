"""The tokenizer of a `vocab.txt`, word pieces as BERT reads them; and what other files of a source say of it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from convert.sentencepiece_tokenizer import KOBERT_SPECIALS
from convert.unknown_words import MOST_UNKNOWN, unknown_share
from shared.errors import ModelSourceError

# Classes of transformers that read a vocab.txt as BERT does; and those that tell nothing of how.
_BERT_TOKENIZERS = frozenset(
    f"{family}Tokenizer{fast}" for family in ("Bert", "Electra", "DistilBert", "MPNet") for fast in ("", "Fast")
)
_ANY_TOKENIZERS = frozenset(("PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend", "AutoTokenizer"))
# What tokenizer_config.json and tokenizer.json call the same.
_LETTERS = {
    "do_lower_case": "lowercase", "strip_accents": "strip_accents", "tokenize_chinese_chars": "handle_chinese_chars",
}  # fmt: skip
_WORD_CHARS = 100  # a longer word is unknown, as in transformers


def from_word_pieces(path: Path, config: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a BERT `vocab.txt`, as transformers' BertTokenizer makes it."""
    tokens = word_lines(path)
    ids = {token: index for index, token in enumerate(tokens)}
    missing = [token for token in ("[UNK]", "[CLS]", "[SEP]", "[PAD]") if token not in ids]
    if missing:
        raise ModelSourceError(f"{path.name} has no {', '.join(missing)}, so it is not the vocabulary of a BERT")
    kind = str(config.get("tokenizer_class") or "BertTokenizer")
    if kind not in {*_BERT_TOKENIZERS, *_ANY_TOKENIZERS} or config.get("do_basic_tokenize") is False:
        own = kind if kind not in _BERT_TOKENIZERS else "do_basic_tokenize: false"
        raise ModelSourceError(
            f"{path.name} was read by a tokenizer of another kind ({own}), so it would give other words; add the "
            "tokenizer.json of that one"
        )
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
    if "do_lower_case" not in config:
        _refuse_lost_letters(tokenizer, path)
    return tokenizer


def _refuse_lost_letters(tokenizer: Tokenizer, path: Path) -> None:
    """Refuse BERT's default where it takes Hangul apart, and the words of the vocabulary are whole."""
    unknown = unknown_share(tokenizer)
    if unknown <= MOST_UNKNOWN:
        return
    whole = Tokenizer.from_str(tokenizer.to_str())
    whole.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=False)
    if unknown_share(whole) <= MOST_UNKNOWN:
        raise ModelSourceError(
            f"{path.name} does not know {unknown:.0%} of Korean sample texts as BERT's tokenizer reads by default, "
            'in lower case and with Hangul taken apart; if the model was trained without, write {"do_lower_case": '
            "false} into tokenizer_config.json"
        )


def as_configured(tokenizer: Tokenizer, config: Mapping[str, Any], warn: Callable[[str], None]) -> Tokenizer:
    """The tokenizer with what `tokenizer_config.json` says of letters: transformers' BERT classes go by that file."""
    fields = json.loads(tokenizer.to_str())
    normaliser = fields.get("normalizer") or {}
    if normaliser.get("type") != "BertNormalizer" or str(config.get("tokenizer_class")) not in _BERT_TOKENIZERS:
        return tokenizer
    said = {own: config[name] for name, own in _LETTERS.items() if name in config and config[name] != normaliser[own]}
    if not said:
        return tokenizer
    warn(
        f"tokenizer.json and tokenizer_config.json differ in {', '.join(said)}; tokenizer_config.json is followed, "
        "as transformers does"
    )
    fields["normalizer"] = normaliser | said
    return Tokenizer.from_str(json.dumps(fields))


def compare_words(tokenizer: Tokenizer, path: Path | None, warn: Callable[[str], None]) -> None:
    """Tell of a `vocab.txt` that numbers the words of a `tokenizer.json` in another way."""
    model = json.loads(tokenizer.to_str())["model"]
    if path is None or model.get("type") != "WordPiece":
        return
    ids, listed = model["vocab"], word_lines(path)
    moved = [word for at, word in enumerate(listed) if ids.get(word, at) != at]
    if moved:
        warn(
            f"tokenizer.json and {path.name} number {len(moved):,} words differently ({moved[0]!r}); "
            "tokenizer.json is read, as transformers does"
        )


def word_lines(path: Path) -> list[str]:
    """The lines of a `vocab.txt`. Only line feeds end one: a token may be U+2028 or U+0085."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ModelSourceError(f"{path.name} is not UTF-8, so it is not the vocabulary of a model") from error
    return lines[:-1] if lines[-1] == "" else lines
