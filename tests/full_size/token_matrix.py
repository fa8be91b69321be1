"""Ids of 10,000 comments by the tokenizers that are built here and by their references: `make tokens-proof`.

    python -m tests.full_size.token_matrix COMMENTS.jsonl FOLDER

The vocabularies are trained on the comments themselves. References: transformers for word pieces and byte-level BPE,
the library SentencePiece itself for its models. Where SentencePiece has two ways of one score ("...." as "..." and ".",
or as "." and "..."), the order of the two may differ; such texts are counted apart.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import sentencepiece
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer, Tokenizer
from transformers import BertTokenizer, RobertaTokenizer

from convert.sentencepiece_tokenizer import build_xlm_tokenizer
from convert.tokenizer import from_byte_pairs
from convert.word_pieces import from_word_pieces

COMMENTS = 10_000
VOCABULARY = 4_000
_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
Ids = Callable[[str], list[int]]


def main(comments: Path, folder: Path) -> int:
    """Print one line a kind of tokenizer; returns the exit code."""
    texts = [json.loads(line)["text"] for line in comments.read_text(encoding="utf-8").splitlines()[:COMMENTS]]
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name, ours, reference in (*_word_pieces(texts, folder), *_byte_pairs(texts, folder), *_pieces(texts, folder)):
        pairs = [(encoded.ids, reference(text)) for encoded, text in zip(ours.encode_batch(texts), texts, strict=True)]
        equal = sum(mine == theirs for mine, theirs in pairs)
        ties = sum(mine != theirs and sorted(mine) == sorted(theirs) for mine, theirs in pairs)
        print(f"{name}: {equal:,} of {len(texts):,} equal, {ties} in another order of the same tokens", flush=True)
        failed += len(texts) - equal - ties
    return int(failed > 0)


def _word_pieces(texts: list[str], folder: Path) -> Iterator[tuple[str, Tokenizer, Ids]]:
    for lowercase in (False, True):
        trained = BertWordPieceTokenizer(lowercase=lowercase)
        trained.train_from_iterator(texts, vocab_size=VOCABULARY, show_progress=False)
        trained.save_model(str(folder))
        reference = BertTokenizer(str(folder / "vocab.txt"), do_lower_case=lowercase)
        ours = from_word_pieces(folder / "vocab.txt", {"do_lower_case": lowercase})
        name = "word pieces, lower case" if lowercase else "word pieces"
        yield name, ours, lambda text, reference=reference: list(reference(text)["input_ids"])  # type: ignore[misc]


def _byte_pairs(texts: list[str], folder: Path) -> Iterator[tuple[str, Tokenizer, Ids]]:
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(texts, vocab_size=VOCABULARY, special_tokens=_SPECIALS, show_progress=False)
    trained.save_model(str(folder))
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    reference = RobertaTokenizer(str(vocabulary), str(merges))
    yield "byte-level BPE", from_byte_pairs(vocabulary, merges, {}), lambda text: list(reference(text)["input_ids"])


def _pieces(texts: list[str], folder: Path) -> Iterator[tuple[str, Tokenizer, Ids]]:
    path = folder / "sentencepiece.bpe.model"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(path.with_suffix("")), vocab_size=VOCABULARY,
        model_type="unigram", minloglevel=2,
    )  # fmt: skip
    reference = sentencepiece.SentencePieceProcessor(model_file=str(path))

    def ids(text: str) -> list[int]:
        unknown, shift = _SPECIALS.index("<unk>"), 1
        return [0, *(unknown if index == 0 else index + shift for index in reference.encode(text)), 2]

    yield "SentencePiece, XLM-R's ids", build_xlm_tokenizer(path), ids


if __name__ == "__main__":
    sys.exit(main(*(Path(argument).resolve() for argument in sys.argv[1:3])))
