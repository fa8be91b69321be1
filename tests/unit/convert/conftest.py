"""Leaves out what needs the training extra where it is not installed, and says so."""

from importlib.util import find_spec

NEEDS_TRAINING_EXTRA = [
    "test_broken_sources.py",
    "test_calibration.py",
    "test_checkpoint.py",
    "test_encoder.py",
    "test_families.py",
    "test_graph.py",
    "test_odd_sources.py",
    "test_onnx_ends.py",
    "test_onnx_import.py",
    "test_other_tokenizers.py",
    "test_pipeline.py",
    "test_saturation.py",
    "test_sentencepiece_tokenizer.py",
    "test_source_matrix.py",
    "test_state_dict.py",
    "test_tokenizer.py",
    "test_tokenizer_fit.py",
    "test_verify.py",
    "test_trained_heads.py",
    "test_vocabulary.py",
]
HAS_TRAINING_EXTRA = all(find_spec(name) for name in ("torch", "transformers", "sentencepiece", "onnx"))

collect_ignore = [] if HAS_TRAINING_EXTRA else NEEDS_TRAINING_EXTRA
