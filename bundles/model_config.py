"""The fields of a transformers `config.json` that tell what a model is and how its weights are read."""

import codecs
from pathlib import Path
from typing import Any, Literal

import msgspec

from shared.errors import ModelSourceError

Activation = Literal["gelu", "gelu_tanh", "relu"]
# Activations of transformers that a graph is written with, and what it calls them.
ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
# Attention heads that a class of transformers has where its config says nothing.
_USUAL_HEADS = {
    "bert": 12, "roberta": 12, "xlm-roberta": 12, "camembert": 12, "electra": 4, "distilbert": 12,
}  # fmt: skip


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a checkpoint; the defaults are those of transformers' BERT.

    Without a `model_type` it is that of `architectures`, or BERT.
    """

    architectures: list[str] | None = None
    model_type: str | None = None
    # A name may be a number: pandas gives such labels.
    id2label: dict[str, str | int | float | bool | None] | None = None
    # Names to numbers. transformers reads `id2label`; some set this one alone.
    label2id: dict[str, Any] | None = None
    problem_type: str | None = None
    # Old configs name the benchmark's task.
    finetuning_task: str | None = None
    # What sentence-transformers notes of a CrossEncoder, which reads pairs of texts.
    sentence_transformers: Any = None
    hidden_act: str = "gelu"
    num_attention_heads: int | None = None
    layer_norm_eps: float = 1e-12
    position_embedding_type: str | None = "absolute"
    vocab_size: int | None = None
    max_position_embeddings: int | None = None
    pad_token_id: int | None = None
    is_decoder: bool = False
    quantization_config: dict[str, Any] | None = None
    # Code that comes with the model, by what it stands for.
    auto_map: dict[str, Any] | None = None
    # DistilBERT's names.
    activation: str | None = None
    n_heads: int | None = None
    # GPT-2's.
    n_positions: int | None = None

    @property
    def activation_name(self) -> str:
        """The activation between the dense layers."""
        return self.activation or self.hidden_act

    @property
    def heads(self) -> int | None:
        """Attention heads of a layer; where it does not say, as many as its class takes."""
        said = self.num_attention_heads or self.n_heads
        return said or (_USUAL_HEADS.get(self.model_type) if self.model_type else None)


def read_model_config(path: Path | None) -> ModelConfig:
    """Read `config.json`; or the defaults if there is no file.

    Raises:
        ModelSourceError: it is not a JSON object, or a field has a wrong type.
    """
    if path is None:
        return ModelConfig()
    try:
        return msgspec.json.decode(path.read_bytes().removeprefix(codecs.BOM_UTF8), type=ModelConfig)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelSourceError(f"{path.name} is not the config of a model: {error}") from error
