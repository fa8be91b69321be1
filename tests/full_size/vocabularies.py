"""Vocabularies of the kinds that Korean encoders have, trained on comments, and the ids that their references give.

References: transformers for word pieces, byte-level BPE and CamemBERT, the library SentencePiece itself for its models.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer
from transformers import BertTokenizer, CamembertTokenizer, RobertaTokenizer

from convert.samples import CALIBRATION_TEXTS
from convert.sentencepiece_tokenizer import own_ids
from tests.support.checkpoints import write_sentencepiece
from training.data.made_up import made_up_rows

# The generated module is untyped.
spiece: Any = sentencepiece_model_pb2

Ids = Callable[[str], list[int]]
_TRAINED_PIECES = 30_000
_FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")
_FAIRSEQ_UNKNOWN = 3
_ROBERTA = [*_FAIRSEQ, "<mask>"]
_CAMEMBERT = ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED")
_LOWEST_SCORE = -30.0


@dataclass(frozen=True)
class Vocabulary:
    """Its files, to be copied beside a model; `size` rows of embeddings; the reference for its ids."""

    folder: Path
    size: int
    pad_id: int
    ids: Ids

    def copy(self, folder: Path) -> None:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)


def read_comments(path: Path | None, count: int) -> list[str]:
    """`count` comments of a file of JSON lines; made-up ones without it."""
    if path is not None and path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()[:count]
        return [json.loads(line)["text"] for line in lines]
    texts = list(CALIBRATION_TEXTS)
    seed = 0
    while len(texts) < count:
        texts += [row.text for row in made_up_rows(seed)]
        seed += 1
    return texts[:count]


class Vocabularies:
    """Makes each vocabulary once, in a folder. `sentencepiece` is KoBERT's own model; without it one is trained."""

    def __init__(self, folder: Path, texts: Sequence[str], sentencepiece_model: Path | None) -> None:
        self._folder = folder
        self._texts = texts
        self._kobert = sentencepiece_model if sentencepiece_model and sentencepiece_model.is_file() else None

    def make(self, kind: str, size: int) -> Vocabulary:
        """The vocabulary of a kind, a key of `KINDS`, with `size` tokens; with KoBERT's own, as many as that has."""
        folder = self._folder / f"{kind}-{size}"
        if not folder.is_dir():
            made = folder.with_name(f"{folder.name}.making")
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(parents=True)
            KINDS[kind][0](self, made, size)
            made.rename(folder)
        return KINDS[kind][1](folder, size)

    def write_word_pieces(self, folder: Path, size: int, specials: Sequence[str]) -> None:
        trained = BertWordPieceTokenizer(lowercase=False, strip_accents=False)
        trained.train_from_iterator(
            self._texts, vocab_size=min(size, _TRAINED_PIECES), special_tokens=list(specials), show_progress=False
        )
        trained.save_model(str(folder))
        words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        # As the published ones have some hundred of them.
        words += [f"[unused{index}]" for index in range(size - len(words))]
        (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "model_max_length": 512}))

    def write_tokenizer_json(self, folder: Path, size: int) -> None:
        self.write_word_pieces(folder, size, _PAD_FIRST)
        BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False).save_pretrained(folder)

    def write_byte_pairs(self, folder: Path, size: int) -> None:
        trained = ByteLevelBPETokenizer()
        trained.train_from_iterator(self._texts, vocab_size=size, special_tokens=_ROBERTA, show_progress=False)
        trained.save_model(str(folder))

    def write_kobert(self, folder: Path, size: int) -> None:
        if self._kobert:
            shutil.copy(self._kobert, folder / "spiece.model")
        else:
            write_sentencepiece(folder / "spiece.model", size, self._texts)

    def write_kobert_as_monologg(self, folder: Path, size: int) -> None:
        """The same pieces under the names that monologg/kobert and DistilKoBERT have."""
        self.write_kobert(folder, size)
        (folder / "spiece.model").rename(folder / "tokenizer_78b3253a26.model")
        pieces = own_ids(folder / "tokenizer_78b3253a26.model")
        (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")

    def write_fairseq(self, folder: Path, size: int) -> None:
        """Pieces as fairseq keeps them: `size` is that of the model, which has a token before them and one after."""
        path = folder / "sentencepiece.bpe.model"
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(self._texts), model_prefix=str(path.with_suffix("")), model_type="unigram",
            vocab_size=min(size - 2, _TRAINED_PIECES), hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
        path.with_suffix(".vocab").unlink()
        proto = spiece.ModelProto()
        proto.ParseFromString(path.read_bytes())
        # Pieces of other languages, which no Korean text has.
        for index in range(size - 2 - len(proto.pieces)):
            proto.pieces.add(piece=f"\ue000{index}", score=_LOWEST_SCORE)
        path.write_bytes(proto.SerializeToString())

    def write_camembert(self, folder: Path, size: int) -> None:
        self.write_fairseq(folder, size - len(_CAMEMBERT) + 4)
        proto = spiece.ModelProto()
        proto.ParseFromString((folder / "sentencepiece.bpe.model").read_bytes())
        (folder / "sentencepiece.bpe.model").unlink()
        pieces = [(piece.piece, piece.score) for piece in proto.pieces][3:]
        vocabulary = [*((name, 0.0) for name in _CAMEMBERT), *pieces, ("<mask>", 0.0)]
        charsmap = proto.normalizer_spec.precompiled_charsmap
        CamembertTokenizer(vocab=vocabulary, _spm_precompiled_charsmap=charsmap).save_pretrained(folder)


_PAD_FIRST = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_CLS_FIRST = ("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]")


def _word_pieces(folder: Path, size: int) -> Vocabulary:
    reference = BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False)
    pad_id = reference.pad_token_id
    return Vocabulary(folder, size, pad_id, lambda text: list(reference(text)["input_ids"]))


def _byte_pairs(folder: Path, _: int) -> Vocabulary:
    reference = RobertaTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    return Vocabulary(folder, len(reference), 1, lambda text: list(reference(text)["input_ids"]))


def _kobert(folder: Path, _: int) -> Vocabulary:
    (path,) = folder.glob("*.model")
    reference = sentencepiece.SentencePieceProcessor(model_file=str(path))
    first, last = (reference.piece_to_id(token) for token in ("[CLS]", "[SEP]"))
    return Vocabulary(folder, len(reference), 1, lambda text: [first, *reference.encode(text), last])


def _fairseq(folder: Path, _: int) -> Vocabulary:
    reference = sentencepiece.SentencePieceProcessor(model_file=str(folder / "sentencepiece.bpe.model"))

    def ids(text: str) -> list[int]:
        return [0, *(_FAIRSEQ_UNKNOWN if index == 0 else index + 1 for index in reference.encode(text)), 2]

    return Vocabulary(folder, len(reference) + 2, 1, ids)


def _camembert(folder: Path, _: int) -> Vocabulary:
    reference = CamembertTokenizer.from_pretrained(folder)
    return Vocabulary(folder, len(reference), 1, lambda text: list(reference(text)["input_ids"]))


_Write = Callable[[Vocabularies, Path, int], None]
KINDS: dict[str, tuple[_Write, Callable[[Path, int], Vocabulary]]] = {
    "word-pieces": (lambda made, folder, size: made.write_word_pieces(folder, size, _PAD_FIRST), _word_pieces),
    "klue": (lambda made, folder, size: made.write_word_pieces(folder, size, _CLS_FIRST), _word_pieces),
    "tokenizer-json": (Vocabularies.write_tokenizer_json, _word_pieces),
    "byte-pairs": (Vocabularies.write_byte_pairs, _byte_pairs),
    "kobert": (Vocabularies.write_kobert, _kobert),
    "monologg": (Vocabularies.write_kobert_as_monologg, _kobert),
    "fairseq": (Vocabularies.write_fairseq, _fairseq),
    "camembert": (Vocabularies.write_camembert, _camembert),
}
