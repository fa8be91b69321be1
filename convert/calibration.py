"""Measures a model's activations on Korean texts, and chooses the scales by which its int8 graph rounds them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from bundles.activations import Channels, Feeds, RunGraph, Scale, Values, measure_channels, measure_scales
from convert.verify import feeds_of, open_session, unreadable_text

# Token ids of texts.
Rows = Sequence[Sequence[int]]


class Activations:
    """The activations `names` of the graph at `graph`, on the token ids `rows`. Writes a file beside the graph."""

    def __init__(self, graph: Path, names: Sequence[str], rows: Rows) -> None:
        self._probe = _with_outputs(graph, names)
        self._feeds = [feeds_of(row) for row in rows]
        self.channels: Mapping[str, Channels] = measure_channels(self._runner(), names, self._feeds)

    def scales(self, factors: Mapping[str, Values] | None = None, without: Collection[str] = ()) -> dict[str, Scale]:
        """The scale of each but those `without`; channels that have `factors` are divided by these first."""
        wanted = {name: channels for name, channels in self.channels.items() if name not in without}
        return measure_scales(self._runner(), wanted, self._feeds, factors)

    def _runner(self) -> RunGraph:
        """Runs the graph, whose weights are mapped for as long as this is referred to."""
        session = open_session(self._probe)
        inputs = {value.name for value in session.get_inputs()}

        def run(names: Sequence[str], feeds: Feeds) -> Sequence[Values]:
            try:
                found: Sequence[Values] = session.run(list(names), {name: feeds[name] for name in inputs})
            except Exception as error:  # onnxruntime's own error classes share no public base
                raise unreadable_text(feeds["input_ids"].shape[1], error) from error
            return found

        return run


def _with_outputs(graph: Path, names: Sequence[str]) -> Path:
    """A copy of the graph that gives the activations `names` too."""
    probe = graph.with_name(f"probe-{graph.name}")
    model = onnx.load(str(graph), load_external_data=False)
    known = {output.name for output in model.graph.output}
    wanted = [name for name in names if name not in known]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in wanted)
    probe.write_bytes(model.SerializeToString())
    return probe
