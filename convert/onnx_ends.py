"""The two ends of an ONNX export: its inputs are made token ids of 64 bits, its output is made logits.

Some exports end in a softmax or a sigmoid. Its scores, taken for logits, would keep the label and lose the scores.
"""

import onnx
from onnx import NodeProto, TensorProto

from shared.errors import ModelSourceError

_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_LOGITS = "logits"
# What hands its input on.
_SAME = frozenset(("Identity", "Cast"))


def check_inputs(model: onnx.ModelProto, name: str) -> None:
    """Refuse a graph that does not read token ids of any number and length; takes numbers of 32 bits as those of 64.

    Raises:
        ModelSourceError: it has other inputs, or reads texts of one length alone.
    """
    initialised = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialised]
    names = {value.name for value in inputs}
    if "input_ids" not in names or names - _INPUTS:
        raise ModelSourceError(f"{name} is not a text classifier: its inputs are {', '.join(sorted(names)) or 'none'}")
    for value in inputs:
        sizes = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        if any(sizes):
            shape = " x ".join(str(size) if size else "any" for size in sizes)
            raise ModelSourceError(
                f"{name} reads {value.name} of {shape} alone; export it with dynamic axes for texts and tokens"
            )
        if value.type.tensor_type.elem_type == TensorProto.INT32:
            _widen(model.graph, value)


def _widen(graph: onnx.GraphProto, value: onnx.ValueInfoProto) -> None:
    """Let an input of 32 bits be one of 64, and be cast."""
    cast = f"{value.name}_of_32_bits"
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name == value.name:
                node.input[at] = cast
    value.type.tensor_type.elem_type = TensorProto.INT64
    graph.node.insert(0, onnx.helper.make_node("Cast", [value.name], [cast], to=TensorProto.INT32))


def name_output(model: onnx.ModelProto, name: str) -> None:
    """Let the graph have one output, `logits`: what a softmax or a sigmoid at its end is of.

    Raises:
        ModelSourceError: it has no output `[texts, labels]`.
    """
    chosen = _output(model)
    if chosen is None or len(chosen.type.tensor_type.shape.dim) != 2:
        raise ModelSourceError(f"{name} is not a text classifier: it has no output [batch, labels] called logits")
    source = chosen.name
    end = _end(model)
    if end is not None and end.op_type in {"Softmax", "Sigmoid"}:
        source = end.input[0]
    if source != _LOGITS:
        for node in model.graph.node:
            node.output[:] = [f"{given}_scores" if given == _LOGITS else given for given in node.output]
            node.input[:] = [f"{given}_scores" if given == _LOGITS else given for given in node.input]
        model.graph.node.append(onnx.helper.make_node("Identity", [source], [_LOGITS]))
    named = onnx.ValueInfoProto()
    named.CopyFrom(chosen)
    named.name = _LOGITS
    del model.graph.output[:]
    model.graph.output.append(named)


def count_labels(model: onnx.ModelProto) -> int | None:
    """The number of labels in the output's shape; None if it is not fixed."""
    dimensions = (_output(model) or model.graph.output[0]).type.tensor_type.shape.dim
    return int(dimensions[1].dim_value) or None if len(dimensions) == 2 else None


def count_rows(model: onnx.ModelProto) -> int | None:
    """Rows of the table that the token ids are looked up in; None where the graph does not show it."""
    ids = {"input_ids"}
    sizes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _SAME and node.input[0] in ids:
            ids.add(node.output[0])
        if node.op_type == "Gather" and node.input[1] in ids and len(sizes.get(node.input[0], ())) == 2:
            return int(sizes[node.input[0]][0])
    return None


def ends_in_sigmoid(model: onnx.ModelProto) -> bool:
    """Whether each label has a score of its own."""
    end = _end(model)
    return end is not None and end.op_type == "Sigmoid"


def _output(model: onnx.ModelProto) -> onnx.ValueInfoProto | None:
    outputs = model.graph.output
    return next((output for output in outputs if output.name == _LOGITS), outputs[0] if len(outputs) == 1 else None)


def _end(model: onnx.ModelProto) -> NodeProto | None:
    """The node whose result is the output."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    chosen = _output(model)
    node = made_by.get(chosen.name) if chosen else None
    while node is not None and node.op_type in _SAME:
        node = made_by.get(node.input[0])
    return node
