"""Refuses a tokenizer that does not belong to its model: it would give ids that mean something else there."""

from tokenizers import Tokenizer

from shared.errors import ModelSourceError

# Rows that a model may have beyond its tokenizer's, because trainers round their number up; or one in so many. Two
# Korean vocabularies differ by more: 30,000 words (KcBERT), 32,000 (klue), 32,200 and 35,000 (KoELECTRA).
_SPARE_ROWS, _SPARE_SHARE = 128, 200


def check_fit(tokenizer: Tokenizer, rows: int | None, end_id: int | None = None) -> None:
    """Refuse a tokenizer whose ids are not those of a model with `rows` word embeddings (None: nothing shows them).

    `end_id` is the token at which the classifier reads a text, if it reads at one.

    Raises:
        ModelSourceError: there are too few or too many rows, the text would be of another token type than 0, or it
            would not end where it is read.
    """
    size = tokenizer.get_vocab_size()
    last = max(tokenizer.get_vocab().values(), default=0)
    if rows is not None and (last >= rows or not 0 <= rows - size <= max(_SPARE_ROWS, rows // _SPARE_SHARE)):
        more = (
            "; if the rest are spare rows, model.resize_token_embeddings(len(tokenizer)) takes them off"
            if size < rows
            else ""
        )
        told = f"{size:,} tokens" if last < size else f"ids up to {last:,}"
        raise ModelSourceError(f"the tokenizer has {told} and the model {rows:,}: they do not belong together{more}")
    highest = max(tokenizer.encode("가").ids, default=0)
    if rows is not None and highest >= rows:
        raise ModelSourceError(
            f"the tokenizer puts the token {highest:,} around a text, and the model has {rows:,}: they do not belong "
            "together"
        )
    if any(tokenizer.encode("가").type_ids):
        raise ModelSourceError(
            "the tokenizer gives a text another token type than 0, and models are read with type 0 here; "
            "export it to ONNX without token types"
        )
    if end_id is not None and tokenizer.encode("가").ids[-1:] != [end_id]:
        raise ModelSourceError(
            f"the tokenizer does not end a text with the token {end_id} (eos_token_id), at which this classifier reads "
            "it; save a tokenizer.json whose post_processor adds it, as the training did"
        )
