"""An encoder of any family becomes a base to train from that reads texts as the original does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundles.files import choose_files, names_in
from convert.encoder import write_encoder
from shared.errors import ModelSourceError
from tests.support.checkpoints import write_sentencepiece, write_xlm_sentencepiece
from tests.support.families import FAMILY_NAMES, family_classifier
from training.learn.network import load_encoder

pytestmark = pytest.mark.training

IDS = torch.tensor([[2, 7, 50, 120, 9, 3], [2, 30, 31, 3, 1, 1]])
MASK = (torch.arange(6) < torch.tensor([[6], [4]])).long()


def saved(folder: Path, name: str, *, bare: bool) -> Any:
    """The encoder of a family, saved with its classifier or alone."""
    model = family_classifier(name)
    encoder = model.base_model
    (encoder if bare else model).save_pretrained(folder)
    (write_xlm_sentencepiece if name == "XLM-R" else write_sentencepiece)(folder / "spiece.model")
    return encoder


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("name", [name for name in FAMILY_NAMES if name != "ELECTRA, small"])
def test_the_base_reads_as_the_original_does(tmp_path: Path, name: str, bare: bool) -> None:
    encoder = saved(tmp_path / "source", name, bare=bare)

    write_encoder(tmp_path / "source", choose_files(names_in(tmp_path / "source"), "x"), "x", tmp_path / "base")

    with torch.no_grad():
        states = load_encoder(tmp_path / "base").eval()(input_ids=IDS, attention_mask=MASK).last_hidden_state
        expected = encoder(input_ids=IDS, attention_mask=MASK).last_hidden_state
    kept = MASK.bool().numpy()
    np.testing.assert_allclose(states.numpy()[kept], expected.numpy()[kept], rtol=0, atol=1e-4)


def test_narrower_embeddings_are_refused_in_a_sentence(tmp_path: Path) -> None:
    saved(tmp_path / "source", "ELECTRA, small", bare=False)
    with pytest.raises(ModelSourceError, match="its embeddings are narrower than its layers"):
        write_encoder(tmp_path / "source", choose_files(names_in(tmp_path / "source"), "x"), "x", tmp_path / "base")
