"""The fields of a transformers `config.json` that a conversion reads."""

from pathlib import Path

import msgspec

from shared.errors import ModelSourceError


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a checkpoint; the defaults are those of transformers' BERT."""

    architectures: list[str] | None = None
    model_type: str = "bert"
    # A name may be a number: pandas gives such labels.
    id2label: dict[str, str | int | float | bool | None] | None = None
    problem_type: str | None = None
    hidden_act: str = "gelu"
    num_attention_heads: int | None = None
    layer_norm_eps: float = 1e-12
    position_embedding_type: str | None = "absolute"
    vocab_size: int | None = None
    max_position_embeddings: int | None = None


def read_model_config(path: Path | None) -> ModelConfig:
    """Read `config.json`; or the defaults if there is no file.

    Raises:
        ModelSourceError: it is not a JSON object, or a field has a wrong type.
    """
    if path is None:
        return ModelConfig()
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelConfig)
    except msgspec.DecodeError as error:
        raise ModelSourceError(f"{path.name} is not the config of a model: {error}") from error
