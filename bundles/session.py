"""ONNX Runtime options for the graph of a bundle, in serving, conversion and training."""

import onnxruntime


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Options for one operator at a time, on `threads` threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The arena never frees the memory of the largest batch; without it memory is returned, at little cost.
    options.enable_cpu_mem_arena = False
    # Idle threads must not spin: the API and Redis use the same few processors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The fused operator is seven times slower than the two that it replaces: a fifth of a pass.
    options.add_session_config_entry("optimization.disable_specified_optimizers", "SkipLayerNormFusion")
    return options


def packed_options(threads: int) -> onnxruntime.SessionOptions:
    """Options for a graph that ONNX Runtime itself has written for this machine: nothing is left to optimise."""
    options = session_options(threads)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options
