"""The encoders whose weights are read directly, as differences from BERT: names, positions, head, projection."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from convert.bert import HeadActivation


@dataclass(frozen=True)
class Family:
    """A kind of encoder with its classifier.

    `model_types` are transformers' names of it; `renames` pairs of the name of a layer in its BERT and in this family;
    `unused` the tensors that a checkpoint may hold and its classifier never reads. `padding_id` and
    `norm_epsilon` count where no config says them.
    """

    name: str
    prefix: str
    model_types: tuple[str, ...]
    renames: tuple[tuple[str, str], ...] = ()
    head_activation: HeadActivation = "tanh"
    has_token_types: bool = True
    has_projection: bool = False
    # The first position comes after the padding id.
    has_offset_positions: bool = False
    padding_id: int = 0
    norm_epsilon: float = 1e-12
    unused: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The name of its word embeddings, by which a checkpoint is recognised."""
        return f"{self.prefix}.embeddings.word_embeddings.weight"

    def own_name(self, name: str) -> str:
        """The family's name of a tensor that is called `name` in BERT."""
        for bert, own in self.renames:
            name = re.sub(rf"(?<![^.]){re.escape(bert)}(?![^.])", own, name)
        return re.sub(r"^bert\.", f"{self.prefix}.", name)

    def position_offset(self, padding_id: int | None) -> int:
        """Rows of its position embeddings that no token has."""
        return (self.padding_id if padding_id is None else padding_id) + 1 if self.has_offset_positions else 0


_DENSE_AND_PROJECTION = (("bert.pooler.dense", "classifier.dense"), ("classifier", "classifier.out_proj"))

BERT = Family("BERT", "bert", ("bert",), unused=("bert.embeddings.position_ids", "bert.embeddings.token_type_ids"))
ROBERTA = Family(
    "RoBERTa",
    "roberta",
    ("roberta", "xlm-roberta", "camembert"),
    # `classifier` first, or it would be found again in `classifier.dense`.
    renames=(_DENSE_AND_PROJECTION[1], _DENSE_AND_PROJECTION[0]),
    has_offset_positions=True,
    padding_id=1,
    norm_epsilon=1e-5,
    # Its classifier has a layer of its own for what the pooler does.
    unused=(
        "roberta.embeddings.position_ids", "roberta.embeddings.token_type_ids",
        "roberta.pooler.dense.weight", "roberta.pooler.dense.bias",
    ),
)  # fmt: skip
ELECTRA = Family(
    "ELECTRA",
    "electra",
    ("electra",),
    renames=ROBERTA.renames,
    head_activation="gelu",
    has_projection=True,
    unused=("electra.embeddings.position_ids", "electra.embeddings.token_type_ids"),
)
DISTILBERT = Family(
    "DistilBERT",
    "distilbert",
    ("distilbert",),
    renames=(
        ("bert.pooler.dense", "pre_classifier"),
        ("bert.encoder.layer", "distilbert.transformer.layer"),
        ("attention.self.query", "attention.q_lin"),
        ("attention.self.key", "attention.k_lin"),
        ("attention.self.value", "attention.v_lin"),
        ("attention.output.dense", "attention.out_lin"),
        ("attention.output.LayerNorm", "sa_layer_norm"),
        ("intermediate.dense", "ffn.lin1"),
        ("output.dense", "ffn.lin2"),
        ("output.LayerNorm", "output_layer_norm"),
    ),
    head_activation="relu",
    has_token_types=False,
    unused=("distilbert.embeddings.position_ids",),
)

FAMILIES = (BERT, ROBERTA, ELECTRA, DISTILBERT)


def find_family(names: Iterable[str]) -> tuple[Family, str] | None:
    """The family whose word embeddings are among `names`, and what stands before each of its names.

    A model kept in an attribute of a trainer's class is called after it: `model.electra.embeddings…` in Lightning.
    """
    for name in names:
        for family in FAMILIES:
            if name == family.words or name.endswith(f".{family.words}"):
                return family, name.removesuffix(family.words)
    return None
