"""How ONNX Runtime runs the graph of a bundle, in serving, in conversions and in training alike."""

import onnxruntime


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """How every session of ours runs: `threads` threads in an operator, one operator at a time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The arena keeps the largest batch ever seen; the plain allocator costs little and gives memory back.
    options.enable_cpu_mem_arena = False
    # Idle threads must not spin: the api and Redis share the same few processors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The fused operator takes seven times as long as the sum and the norm that it would replace, a fifth of a pass.
    options.add_session_config_entry("optimization.disable_specified_optimizers", "SkipLayerNormFusion")
    return options
