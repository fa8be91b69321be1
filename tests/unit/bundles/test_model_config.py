"""`config.json` is taken at its word only where its words are of the right kind."""

from pathlib import Path

import pytest

from bundles.model_config import ModelConfig, read_model_config
from shared.errors import ModelSourceError


def test_no_config_means_the_defaults_of_bert() -> None:
    assert read_model_config(None) == ModelConfig()


def test_what_a_conversion_does_not_read_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"num_attention_heads": 12, "id2label": {"0": "긍정"}, "torch_dtype": "float32"}')
    config = read_model_config(path)
    assert (config.num_attention_heads, config.id2label) == (12, {"0": "긍정"})


@pytest.mark.parametrize("text", ["", "[]", '{"num_attention_heads": "twelve"}', '{"id2label": ["a"]}', "<html>"])
def test_a_field_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ModelSourceError, match=r"config\.json is not the config of a model"):
        read_model_config(path)
