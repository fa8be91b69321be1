"""The second output of a graph: it says what leaving tokens out would do, and changes nothing else."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from transformers import BertConfig  # noqa: E402

from bundles.format import EVIDENCE_OUTPUT, load_bundle  # noqa: E402
from bundles.session import session_options  # noqa: E402
from bundles.windows import Windows  # noqa: E402
from training.learn.network import CommentNetwork, new_encoder  # noqa: E402
from training.ship.bundle import GraphRunner  # noqa: E402
from training.ship.evidence import add_evidence, family_texts  # noqa: E402
from training.ship.export import export_float  # noqa: E402
from training.workspace import EMBEDDED  # noqa: E402

MAX_LENGTH = 32


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> GraphRunner:
    torch.manual_seed(3)
    bundle = load_bundle(EMBEDDED)
    tokenizer = GraphRunner.of_bundle(bundle, threads=1).tokenizer
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=128,
        pad_token_id=bundle.config.pad_token_id,
    )
    graph = tmp_path_factory.mktemp("graph") / "float.onnx"
    export_float(CommentNetwork(new_encoder(config), 3, 20).eval(), graph, max_length=MAX_LENGTH)
    return GraphRunner(graph, tokenizer, windows=Windows(MAX_LENGTH), pad_id=bundle.config.pad_token_id, threads=1)


def outputs(path: Path) -> list[str]:
    return [value.name for value in onnx.load(str(path)).graph.output]


def test_a_graph_without_texts_to_fit_on_stays_as_it_is(runner: GraphRunner) -> None:
    before = runner.path.read_bytes()
    add_evidence(runner.path, runner, ["하나", "", "둘"])
    assert runner.path.read_bytes() == before


def test_evidence_is_there_once_and_logits_stay_bit_for_bit(runner: GraphRunner) -> None:
    texts = family_texts()[:120]
    before = runner.logits(texts)
    for _ in range(2):
        add_evidence(runner.path, runner, texts)
    assert outputs(runner.path) == ["logits", EVIDENCE_OUTPUT]

    after = GraphRunner(runner.path, runner.tokenizer, windows=Windows(MAX_LENGTH), pad_id=runner.pad_id, threads=1)
    assert np.array_equal(after.logits(texts), before)
    session = onnxruntime.InferenceSession(str(runner.path), session_options(1), providers=["CPUExecutionProvider"])
    ids = np.array([runner.tokenizer.encode(texts[0]).ids[:MAX_LENGTH]])
    (evidence,) = session.run([EVIDENCE_OUTPUT], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert evidence.shape == (1, ids.shape[1], 3)
    assert np.isfinite(evidence).all()
    assert np.abs(evidence).max() > 0
