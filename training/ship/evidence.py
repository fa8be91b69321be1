"""Gives a served graph a second output, `evidence`: how much each token adds to each label's logit.

The output is linear in the token vectors of two inner layers. It is fitted to say what leaving words out would do: over
a few thousand texts, words are left out, and the fall of the logits is regressed on the vectors of the tokens that were
left out (occlusion, learnt once instead of run for each text; compare FastSHAP, Jethani et al., 2022). The weights of
the network do not change, nor do its logits, by a bit.

`python -m training.ship.evidence models/default` does it to a finished bundle.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import ModelProto, helper, numpy_helper

from bundles.format import EVIDENCE_OUTPUT, Bundle, load_bundle, write_manifest
from bundles.session import session_options
from bundles.text.words import Range, word_of_each, words_of
from training.data.batches import Floats
from training.ship.bundle import GraphRunner

_PREFIX = "/evidence/"
_INNER_LAYERS = 2
_SUBSETS_PER_TEXT = 16
_MAX_TEXTS = 5_000
_TEXTS_AT_A_TIME = 250
_RIDGE = 0.03  # a row; of 0.007 to 0.07 it made no difference that shows
_SEED = 18
FAMILIES = Path(__file__).resolve().parents[1] / "data" / "families"


@dataclass(frozen=True)
class _Read:
    """One text: normalised, its words, its token ids without special tokens, and the word of each token."""

    text: str
    words: list[Range]
    word_of: list[int]
    ids: list[int]


def add_evidence(graph: Path, runner: GraphRunner, texts: Sequence[str]) -> None:
    """Fit the evidence of the graph in file `graph`, which `runner` runs, on `texts`, and write it into the file.

    Where no text can be fitted on, because none has two words and fits a window, the graph stays without.
    """
    reads = [read for read in (_read(runner, text) for text in texts) if _is_usable(read, runner)][:_MAX_TEXTS]
    if not reads:
        return
    model = onnx.load(str(graph))
    _remove(model)
    layers = _inner_layers(model)
    _attach(model, layers, _fit(model, layers, runner, reads))
    onnx.save(model, str(graph))


def add_evidence_to_bundle(bundle: Bundle, texts: Sequence[str]) -> Bundle:
    """Do so in a bundle on disk, whose revision changes with its graph."""
    add_evidence(bundle.model_path, GraphRunner.of_bundle(bundle, threads=1), texts)
    write_manifest(bundle.path)
    return load_bundle(bundle.path)


def family_texts() -> list[str]:
    """The sentences of this folder's families, bad and harmless, in an order drawn once."""
    files = sorted(path for path in FAMILIES.rglob("*") if path.suffix in {".tsv", ".txt"})
    lines = [line.split("\t")[0].strip() for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    texts = sorted({line for line in lines if line})
    return [texts[place] for place in np.random.default_rng(_SEED).permutation(len(texts))]


def _remove(model: ModelProto) -> None:
    """Take out what an earlier call put in."""
    graph = model.graph
    kept = [node for node in graph.node if not node.name.startswith(_PREFIX)]
    constants = [item for item in graph.initializer if not item.name.startswith(_PREFIX)]
    outputs = [value for value in graph.output if value.name != EVIDENCE_OUTPUT]
    for field, values in ((graph.node, kept), (graph.initializer, constants), (graph.output, outputs)):
        del field[:]
        field.extend(values)


def _inner_layers(model: ModelProto) -> list[str]:
    """The outputs of the last layers but one: the last one's vectors already say the same of every token.

    They say what the wide part's words do as well: with its own values beside them, more innocent words were marked.
    """
    norms = [node.output[0] for node in model.graph.node if node.op_type == "LayerNormalization"]
    layers = norms[1::2]  # a layer has a norm after its attention, and one at its end
    return layers[-1 - _INNER_LAYERS : -1] or layers[-1:]


def _fit(model: ModelProto, layers: Sequence[str], runner: GraphRunner, reads: Sequence[_Read]) -> list[Floats]:
    """The weights `[hidden, labels]` of each layer, and a bias `[labels]`: the least squares of all falls."""
    session = _vector_session(model, layers)
    draw = np.random.default_rng(_SEED)
    squares, products, rows = np.zeros(()), np.zeros(()), 0
    for at in range(0, len(reads), _TEXTS_AT_A_TIME):
        features, falls = _falls(session, layers, runner, reads[at : at + _TEXTS_AT_A_TIME], draw)
        squares, products, rows = squares + features.T @ features, products + features.T @ falls, rows + len(falls)
    solved = np.linalg.solve(squares + _RIDGE * rows * np.eye(len(squares)), products).astype(np.float32)
    return [*np.split(solved[:-1], len(layers)), solved[-1]]


def _falls(
    session: onnxruntime.InferenceSession,
    layers: Sequence[str],
    runner: GraphRunner,
    reads: Sequence[_Read],
    draw: np.random.Generator,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of each group of words that is left out: the sum of its tokens' vectors, and the fall of each label's logit."""
    left_out = [(at, subset) for at, read in enumerate(reads) for subset in _subsets(len(read.words), draw)]
    full = runner.logits_of_ids([_wrap(runner, read.ids) for read in reads])
    rest = runner.logits_of_ids([_wrap(runner, _ids_without(runner, reads[at], subset)) for at, subset in left_out])
    vectors = [_vectors(session, layers, _wrap(runner, read.ids)) for read in reads]
    features = np.stack([_summed(vectors[at], reads[at], subset) for at, subset in left_out])
    falls = full[[at for at, _ in left_out]] - rest
    return features.astype(np.float64), falls.astype(np.float64)


def _read(runner: GraphRunner, text: str) -> _Read:
    normalised = runner.normalise(text)
    encoding = runner.tokenizer.encode(normalised, add_special_tokens=False)
    words = words_of(normalised)
    return _Read(normalised, words, word_of_each(encoding.offsets, words) if words else [], encoding.ids)


def _is_usable(read: _Read, runner: GraphRunner) -> bool:
    return len(read.words) > 1 and len(read.ids) <= runner.max_length - 2


def _subsets(words: int, draw: np.random.Generator) -> list[frozenset[int]]:
    """Which words to leave out: each one, and each two and three in a row, but never all."""
    runs = [frozenset(range(first, first + size)) for size in (1, 2, 3) for first in range(words - size + 1)]
    runs = [run for run in runs if len(run) < words]
    return [runs[place] for place in draw.permutation(len(runs))[:_SUBSETS_PER_TEXT]]


def _ids_without(runner: GraphRunner, read: _Read, subset: frozenset[int]) -> list[int]:
    kept = [read.text[start:end] for number, (start, end) in enumerate(read.words) if number not in subset]
    ids: list[int] = runner.tokenizer.encode(" ".join(kept), add_special_tokens=False).ids
    return ids[: runner.max_length - 2]


def _wrap(runner: GraphRunner, ids: Sequence[int]) -> list[int]:
    first, *_, last = runner.tokenizer.encode("가").ids
    return [first, *ids, last]


def _vector_session(model: ModelProto, layers: Sequence[str]) -> onnxruntime.InferenceSession:
    """A session that also gives the token vectors of these layers."""
    extended = ModelProto.FromString(model.SerializeToString())
    for name in layers:
        extended.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(
        extended.SerializeToString(), session_options(1), providers=["CPUExecutionProvider"]
    )


def _vectors(session: onnxruntime.InferenceSession, layers: Sequence[str], ids: Sequence[int]) -> Floats:
    rows = np.array([ids], dtype=np.int64)
    found = session.run(list(layers), {"input_ids": rows, "attention_mask": np.ones_like(rows)})
    # `[tokens, layers * hidden]`, without the special tokens.
    joined: Floats = np.concatenate([states[0, 1:-1] for states in found], axis=1)
    return joined


def _summed(vectors: Floats, read: _Read, subset: frozenset[int]) -> Floats:
    """The sum of the vectors of the tokens that were left out, and their number, which the bias counts for."""
    chosen = vectors[[number in subset for number in read.word_of]]
    return np.append(chosen.sum(axis=0), np.float32(len(chosen)))


def _attach(model: ModelProto, layers: Sequence[str], weights: Sequence[Floats]) -> None:
    """Add the nodes: a product for each layer, their sum, and the bias."""
    graph = model.graph
    terms: list[str] = []
    for number, (layer, weight) in enumerate(zip(layers, weights, strict=False)):
        graph.initializer.append(numpy_helper.from_array(weight, f"{_PREFIX}weight_{number}"))
        terms.append(f"{_PREFIX}product_{number}")
        graph.node.append(helper.make_node("MatMul", [layer, f"{_PREFIX}weight_{number}"], terms[-1:], terms[-1]))
    graph.initializer.append(numpy_helper.from_array(weights[-1], f"{_PREFIX}bias"))
    graph.node.append(helper.make_node("Sum", [*terms, f"{_PREFIX}bias"], [EVIDENCE_OUTPUT], f"{_PREFIX}sum"))
    shape: list[str | int | None] = ["batch", "length", len(weights[-1])]
    graph.output.append(helper.make_tensor_value_info(EVIDENCE_OUTPUT, onnx.TensorProto.FLOAT, shape))


def main() -> int:
    """Give each bundle that is named its second output."""
    parser = argparse.ArgumentParser(prog="python -m training.ship.evidence", description=__doc__)
    parser.add_argument("bundle", nargs="+", type=Path, help="folder of a bundle")
    for folder in parser.parse_args().bundle:
        bundle = add_evidence_to_bundle(load_bundle(folder), family_texts())
        sys.stdout.write(f"{folder}: {bundle.revision}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
