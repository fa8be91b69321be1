"""A source is judged by its `config.json`: what is read, from which of its files, and what is refused and why."""

from typing import Any

import pytest
from msgspec import structs

from bundles.architecture import choose_route
from bundles.files import SourceFiles
from bundles.model_config import ModelConfig
from shared.errors import ModelSourceError

BOTH = SourceFiles(weights="model.safetensors", onnx="onnx/model.onnx", config="config.json")
WEIGHTS = SourceFiles(weights="model.safetensors", config="config.json")


def config(architecture: str | None, **fields: Any) -> ModelConfig:
    return ModelConfig(architectures=[architecture] if architecture else None, **fields)


@pytest.mark.parametrize(
    ("architecture", "model_type"),
    [
        ("BertForSequenceClassification", "bert"),
        ("RobertaForSequenceClassification", "roberta"),
        ("XLMRobertaForSequenceClassification", "xlm-roberta"),
        ("CamembertForSequenceClassification", "camembert"),
        ("ElectraForSequenceClassification", "electra"),
        ("DistilBertForSequenceClassification", "distilbert"),
        ("RobertaForSequenceClassification", None),
        (None, "electra"),
        (None, None),
    ],
)
def test_the_weights_of_a_known_family_come_before_its_export(architecture: str | None, model_type: str | None) -> None:
    files = choose_route(BOTH, config(architecture, model_type=model_type), "me/model")
    assert (files.kind, files.weights, files.onnx) == ("checkpoint", "model.safetensors", None)


@pytest.mark.parametrize(
    "other",
    [
        config("BigBirdForSequenceClassification", model_type="big_bird"),
        config(
            "DebertaV2ForSequenceClassification", model_type="deberta-v2", quantization_config={"quant_method": "gptq"}
        ),
        config("BertForSequenceClassification", model_type="bert", position_embedding_type="relative_key"),
        config("BertForSequenceClassification", model_type="bert", hidden_act="silu"),
        config("BertForSequenceClassification", model_type="bert", is_decoder=True),
        config("BertForSequenceClassification", model_type="bert", quantization_config={"quant_method": "gptq"}),
    ],
)
def test_the_export_of_any_other_comes_before_its_weights_and_without_one_it_is_refused(other: ModelConfig) -> None:
    files = choose_route(BOTH, other, "me/model")
    assert (files.kind, files.weights, files.onnx) == ("onnx", None, "onnx/model.onnx")
    with pytest.raises(ModelSourceError, match=r"^me/model (is a|uses|was quantised with gptq)"):
        choose_route(WEIGHTS, other, "me/model")


def test_a_family_that_transformers_exports_needs_no_export_beside_its_weights_and_none_of_its_code() -> None:
    deberta = config("DebertaV2ForSequenceClassification", model_type="deberta-v2")
    assert choose_route(WEIGHTS, deberta, "me/model").weights == WEIGHTS.weights
    assert choose_route(BOTH, deberta, "me/model").kind == "onnx"
    with pytest.raises(
        ModelSourceError, match=r"brings code of its own \(auto_map in its config\), which is never run"
    ):
        choose_route(WEIGHTS, structs.replace(deberta, auto_map={"AutoModel": "m.M"}), "me/model")


@pytest.mark.parametrize("files", [BOTH, WEIGHTS, SourceFiles(onnx="model.onnx", config="config.json")])
@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ("ElectraForTokenClassification", "labels words, not whole texts"),
        ("BertForQuestionAnswering", "finds answers in a text"),
        ("GPT2LMHeadModel", "writes text"),
        ("T5ForConditionalGeneration", "writes text"),
        ("BertModel", "an encoder without a classifier: fine-tune it"),
        ("ElectraForPreTraining", "an encoder without a classifier: fine-tune it"),
        ("XLMRobertaForMaskedLM", "an encoder without a classifier: fine-tune it"),
        ("ViTForImageClassification", "it does not label texts"),
    ],
)
def test_what_is_no_text_classifier_is_said_to_be_what_it_is(files: SourceFiles, architecture: str, said: str) -> None:
    with pytest.raises(ModelSourceError, match=said):
        choose_route(files, config(architecture), "me/model")


def test_a_trainers_own_class_may_lie_beside_the_config_of_its_encoder() -> None:
    files = SourceFiles(weights="textClassifierModel.pt", config="config.json")
    assert choose_route(files, config("BertModel", model_type="bert"), "x") == files
    with pytest.raises(ModelSourceError, match="writes text"):
        choose_route(files, config("GPT2LMHeadModel", model_type="gpt2"), "x")


@pytest.mark.parametrize(
    "pair",
    [
        {"id2label": {"0": "entailment", "1": "neutral", "2": "contradiction"}},
        {"id2label": {"0": "ENTAILMENT", "1": "NOT_ENTAILMENT"}},
        {"id2label": {"0": "함의", "1": "중립", "2": "모순"}},
        {"finetuning_task": "qqp"},
        {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.0.1"}},
    ],
)
def test_a_classifier_of_two_texts_is_refused_by_what_shows_it(pair: dict[str, Any]) -> None:
    compared = config("RobertaForSequenceClassification", model_type="roberta", **pair)
    for files in (WEIGHTS, BOTH, SourceFiles(onnx="model.onnx", config="config.json")):
        with pytest.raises(
            ModelSourceError, match=r"^me/model compares two texts \((its labels|trained on|a CrossEnc)"
        ):
            choose_route(files, compared, "me/model")


def test_a_classifier_of_single_texts_is_not_taken_for_one_of_two() -> None:
    single = config(
        "BertForSequenceClassification", model_type="bert", finetuning_task="nsmc",
        id2label={"0": "neutral", "1": "positive", "2": "negative"},
    )  # fmt: skip
    assert choose_route(WEIGHTS, single, "me/model") == WEIGHTS
