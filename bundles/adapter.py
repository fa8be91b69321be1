"""A LoRA adapter of the library peft: its `adapter_config.json`, judged before its base is downloaded."""

from pathlib import Path

import msgspec

from shared.errors import ModelSourceError

ADAPTER_CONFIG = "adapter_config.json"
# Of the `config.json` that some trainers leave beside an adapter: its labels.
OWN_CONFIG_ROLE = "adapter_model_config"
# Roles of an adapter's own files beside those of its base.
ADAPTER_ROLES = ("adapter", "adapter_config", OWN_CONFIG_ROLE)
_TEXT_CLASSIFICATION = "SEQ_CLS"
_MERGE = (
    "merge it where peft is installed, with model.merge_and_unload().save_pretrained(folder), and point MODEL at that "
    "folder"
)


class AdapterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What peft wrote down; the defaults are those of its LoraConfig."""

    base_model_name_or_path: str | None = None
    revision: str | None = None
    peft_type: str = "LORA"
    task_type: str | None = None
    r: int = 8
    lora_alpha: float = 8
    rank_pattern: dict[str, int] | None = None
    alpha_pattern: dict[str, float] | None = None
    use_rslora: bool = False
    fan_in_fan_out: bool = False
    init_lora_weights: bool | str | None = True
    use_dora: bool = False
    use_qalora: bool = False
    use_bdlora: object = None
    layer_replication: object = None
    megatron_config: object = None
    trainable_token_indices: object = None
    alora_invocation_tokens: object = None
    target_parameters: object = None
    arrow_config: object = None


# Kinds of LoRA that are more than a sum, by the field that asks for them.
_OTHER_KINDS = {
    "use_dora": "DoRA",
    "use_qalora": "QALoRA",
    "use_bdlora": "BD-LoRA",
    "layer_replication": "layers that it repeats",
    "megatron_config": "layers of Megatron",
    "trainable_token_indices": "tokens that it trained by themselves",
    "alora_invocation_tokens": "aLoRA",
    "target_parameters": "parameters that are no layers",
    "arrow_config": "Arrow",
}
# With these, peft changed the base's weights before it trained.
_OTHER_BASES = ("pissa", "olora", "corda", "loftq")


def read_adapter_config(path: Path, where: str) -> AdapterConfig:
    """The config of an adapter that can be merged onto its base; `where` names the adapter in errors.

    Raises:
        ModelSourceError: it is damaged, of another kind than LoRA, or not of a text classifier.
    """
    try:
        config = msgspec.json.decode(path.read_bytes(), type=AdapterConfig)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelSourceError(f"{path.name} is not the config of an adapter: {error}") from error
    kind = _other_kind(config)
    if kind is not None:
        raise ModelSourceError(f"{where} is an adapter with {kind}, which is not read: {_MERGE}")
    if config.task_type not in {None, _TEXT_CLASSIFICATION}:
        raise ModelSourceError(
            f"{where} is an adapter for {config.task_type}, not for text classification ({_TEXT_CLASSIFICATION})"
        )
    if not config.base_model_name_or_path:
        raise ModelSourceError(f"{path.name} does not name the base of the adapter, base_model_name_or_path; {_MERGE}")
    return config


def without_base(where: str, config: AdapterConfig, reason: str) -> ModelSourceError:
    """The refusal of an adapter whose base cannot be had."""
    return ModelSourceError(
        f"{where} is a LoRA adapter, and its base {config.base_model_name_or_path} cannot be had: {reason}; write "
        f"where it is into base_model_name_or_path of {ADAPTER_CONFIG}, or {_MERGE}"
    )


def _other_kind(config: AdapterConfig) -> str | None:
    if config.peft_type != "LORA":
        return config.peft_type
    begun = str(config.init_lora_weights).lower()
    if begun.startswith(_OTHER_BASES):
        return f"weights begun by {config.init_lora_weights}"
    return next((told for field, told in _OTHER_KINDS.items() if getattr(config, field)), None)
