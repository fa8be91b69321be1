"""Measures a model's activations on Korean texts, and chooses the scales by which its int8 graph rounds them."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from bundles.activations import Feeds, Scale, Values, measure_scales
from convert.verify import feeds_of, open_session

# Token ids of texts.
Rows = Sequence[Sequence[int]]


def measure_activations(graph: Path, names: Sequence[str], rows: Rows) -> dict[str, Scale]:
    """The scales of the activations `names` of `graph`, by the token ids `rows`. Writes a file beside the graph."""
    probe = graph.with_name(f"probe-{graph.name}")
    model = onnx.load(str(graph), load_external_data=False)
    known = {output.name for output in model.graph.output}
    wanted = [name for name in names if name not in known]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in wanted)
    probe.write_bytes(model.SerializeToString())
    session = open_session(probe)
    inputs = {value.name for value in session.get_inputs()}

    def run(activations: Sequence[str], feeds: Feeds) -> Sequence[Values]:
        found: Sequence[Values] = session.run(list(activations), {name: feeds[name] for name in inputs})
        return found

    return measure_scales(run, names, [feeds_of(row) for row in rows])
