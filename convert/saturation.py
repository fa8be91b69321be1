"""Counts products of an int8 graph that processors without VNNI cut off: those of weights that were int8 in the source.

Such a processor (x86-64 before 2019, and many after) adds the products of two neighbouring weights in 16 bits
(VPMADDUBSW). Weights that are rounded here never exceed them (`convert/quantise.py`); uint8 weights take another path.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

_PRODUCTS = frozenset(("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QAttention", "QGemm"))
# Times 255, the largest activation, it is the first that 16 bits do not hold.
_FIRST_TOO_LARGE = 129


def saturating_share(graph: Path) -> float:
    """Of the neighbouring pairs of int8 weights that are multiplied, those that may be cut off; weights lie beside."""
    model = onnx.load(str(graph))
    weights = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.INT8}
    used = {node.input[1] for node in model.graph.node if node.op_type in _PRODUCTS} & set(weights)
    cut_off = pairs = 0
    for name in used:
        values = numpy_helper.to_array(weights[name]).astype(np.int16)
        if values.ndim == 2:
            even = len(values) // 2 * 2
            sums = np.abs(values[0:even:2] + values[1:even:2])
            cut_off, pairs = cut_off + int((sums >= _FIRST_TOO_LARGE).sum()), pairs + sums.size
    return cut_off / pairs if pairs else 0.0
