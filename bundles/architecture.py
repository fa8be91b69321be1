"""Judges a source by its `config.json` alone, before its weights are downloaded: whether and how they can be read.

A family in `DIRECT` is read from its tensors. Any other text classifier is taken from its ONNX export if it has one.
Without one, transformers' own modules are exported, if they are of a family in `EXPORTED`.
"""

from dataclasses import replace
from pathlib import PurePath
from typing import NoReturn

from msgspec import structs

from bundles.files import SourceFiles, refuse_pickled_head
from bundles.model_config import ACTIVATIONS, ModelConfig
from shared.errors import ModelSourceError

CLASSIFIER = "ForSequenceClassification"
# Model types of transformers whose tensors `convert.families` knows, with the beginning of their classes' names.
DIRECT = {
    "bert": "Bert",
    "roberta": "Roberta",
    "xlm-roberta": "XLMRoberta",
    "camembert": "Camembert",
    "electra": "Electra",
    "distilbert": "DistilBert",
}
# Those that transformers exports, likewise: each answers the same from a graph (tests/unit/convert/test_export.py).
EXPORTED = {
    "albert": "Albert",
    "deberta": "Deberta",
    "deberta-v2": "DebertaV2",
    "modernbert": "ModernBert",
    "mpnet": "MPNet",
    "gpt2": "GPT2",
    "gpt_neox": "GPTNeoX",
    "llama": "Llama",
    "mistral": "Mistral",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
    "gemma": "Gemma",
    "gemma2": "Gemma2",
    "gemma3_text": "Gemma3Text",
    "bart": "Bart",
    "mbart": "MBart",
    "t5": "T5",
    "mt5": "MT5",
}
# Files of trainers' own classes, whose config, if any, is that of the encoder.
_OWN_CLASS_SUFFIXES = frozenset((".pt", ".pth", ".ckpt"))
_OTHER_TASKS = {
    "ForTokenClassification": "it labels words, not whole texts (token classification)",
    "ForQuestionAnswering": "it finds answers in a text (question answering)",
    "ForMultipleChoice": "it chooses among several texts (multiple choice)",
    "ForNextSentencePrediction": "it says whether one sentence follows another",
    "ForCausalLM": "it writes text (a language model)",
    "LMHeadModel": "it writes text (a language model)",
    "ForConditionalGeneration": "it writes text (a language model)",
}
# Tasks of GLUE, and names of labels, of classifiers that read two texts.
_PAIR_TASKS = frozenset(("mnli", "mnli-mm", "mrpc", "qnli", "qqp", "rte", "snli", "stsb", "sts-b", "wnli", "xnli"))
_PAIR_LABELS = (
    {"entailment", "contradiction"}, {"entailment", "not_entailment"}, {"함의", "모순"}, {"duplicate", "not_duplicate"},
    {"paraphrase", "not_paraphrase"}, {"equivalent", "not_equivalent"},
)  # fmt: skip
_ENCODERS = ("Model", "ForMaskedLM", "ForPreTraining", "LMHead", "ForLanguageModeling")


def choose_route(files: SourceFiles, config: ModelConfig, where: str) -> SourceFiles:
    """Either the weights or the ONNX export of `files`, whichever can be read; `where` names the source in errors.

    Raises:
        ModelSourceError: neither can be read, or the source is not a text classifier.
    """
    if files.kind == "bundle":
        return files
    refuse_pickled_head(files, where)
    if files.kind == "adapter":
        return files
    own_class = is_own_class(files.weights or "", config)
    if not own_class:
        _refuse_other_tasks(config, where)
    _refuse_pairs(config, where)
    if files.weights is None:
        return files
    obstacle = find_obstacle(config, own_class=own_class)
    if obstacle is None:
        return replace(files, onnx=None, onnx_data=None)
    if files.onnx is None and is_exported(config):
        refuse_own_code(config.auto_map, where)
        return files
    if files.onnx is None:
        raise ModelSourceError(
            f"{where} {obstacle}; export it with `optimum-cli export onnx` and point MODEL at what it writes"
        )
    return replace(files, weights=None, shards=())


def check_base(config: ModelConfig, where: str) -> None:
    """Refuse the base of an adapter that no text classifier can be read of.

    Raises:
        ModelSourceError: its family is not known, or it is quantised; says what to do.
    """
    classifier = as_classifier(config)
    obstacle = find_obstacle(classifier, own_class=False)
    if obstacle is None:
        return
    if not is_exported(classifier):
        raise ModelSourceError(f"{where} {obstacle}")
    refuse_own_code(config.auto_map, where)


def as_classifier(config: ModelConfig) -> ModelConfig:
    """The config of an encoder as that of the text classifier that it is the base of."""
    return structs.replace(config, architectures=[classifier_class(config)], model_type=find_model_type(config))


def is_exported(config: ModelConfig) -> bool:
    """Whether transformers' own modules are exported to read this model."""
    model_type = find_model_type(config)
    known = model_type in EXPORTED and _class_name(config) == EXPORTED[model_type] + CLASSIFIER
    return known and config.quantization_config is None


def refuse_own_code(auto_map: object, where: str) -> None:
    """Refuse a model that is code of its own: none is run here.

    Raises:
        ModelSourceError: there is an `auto_map`.
    """
    if auto_map:
        raise ModelSourceError(
            f"{where} brings code of its own (auto_map in its config), which is never run here: export it to ONNX "
            "where you trust that code, and point MODEL at the export"
        )


def classifier_class(config: ModelConfig) -> str:
    """The class of transformers that makes a text classifier of this kind of encoder."""
    model_type = find_model_type(config)
    return {**DIRECT, **EXPORTED}.get(model_type, model_type) + CLASSIFIER


def find_obstacle(config: ModelConfig, *, own_class: bool) -> str | None:
    """Why the tensors of this model cannot be read directly, as the end of a sentence; None if they can.

    With `own_class` they are those of a trainer's class around the encoder that the config describes.
    """
    kind, model_type = _class_name(config), find_model_type(config)
    if config.quantization_config is not None:
        method = config.quantization_config.get("quant_method", "a library of its own")
        return f"was quantised with {method}, which is not read: save it in float"
    if model_type not in DIRECT or not (own_class or kind == DIRECT[model_type] + CLASSIFIER):
        known = ", ".join([*DIRECT.values(), *EXPORTED.values()])
        return f"is a {kind}, and only {known} are read from PyTorch files"
    if config.activation_name not in ACTIVATIONS:
        return f"uses the activation {config.activation_name}, which is not one of {', '.join(ACTIVATIONS)}"
    if config.position_embedding_type not in {None, "absolute"}:
        return f"uses {config.position_embedding_type} positions, and only absolute ones are read"
    if config.is_decoder:
        return "is a decoder, and only encoders are read"
    return None


def find_model_type(config: ModelConfig) -> str:
    """Its `model_type`, or that of its class; old configs have only the class."""
    if config.model_type is not None or not config.architectures:
        return config.model_type or "bert"
    name = config.architectures[0]
    known = {**DIRECT, **EXPORTED}
    return next((model_type for model_type, kind in known.items() if name.startswith(f"{kind}F")), name)


def is_own_class(weights: str, config: ModelConfig) -> bool:
    """Whether a file holds a trainer's own class around an encoder, which its config cannot name."""
    return PurePath(weights).suffix in _OWN_CLASS_SUFFIXES and find_model_type(config) in DIRECT


def _class_name(config: ModelConfig) -> str:
    """The class in the config, or, where it names none, the text classifier of its model type."""
    if config.architectures:
        return next((name for name in config.architectures if name.endswith(CLASSIFIER)), config.architectures[0])
    return classifier_class(config)


def _refuse_other_tasks(config: ModelConfig, where: str) -> None:
    name = _class_name(config)
    if name.endswith(CLASSIFIER):
        return
    task = next((told for ending, told in _OTHER_TASKS.items() if name.endswith(ending)), None)
    if task is None and name.endswith(_ENCODERS):
        _refuse_encoder(name, where)
    raise ModelSourceError(
        f"{where} is a {name}: {task or 'it does not label texts'}; only text classifiers (…{CLASSIFIER}) can be served"
    )


def _refuse_pairs(config: ModelConfig, where: str) -> None:
    """Refuse what compares two texts: of one text alone it says nothing, and would be served all the same."""
    names = {str(name).strip().lower() for name in (config.id2label or {}).values()}
    if config.sentence_transformers is not None:
        sign = "a CrossEncoder of sentence-transformers"
    elif config.finetuning_task in _PAIR_TASKS:
        sign = f"trained on {config.finetuning_task}"
    elif any(pair <= names for pair in _PAIR_LABELS):
        sign = f"its labels are {', '.join(map(str, (config.id2label or {}).values()))}"
    else:
        return
    raise ModelSourceError(f"{where} compares two texts ({sign}), and only classifiers of single texts can be served")


def _refuse_encoder(name: str, where: str) -> NoReturn:
    raise ModelSourceError(
        f"{where} is a {name}, an encoder without a classifier: fine-tune it on labelled texts first, and point MODEL "
        "at the result"
    )
