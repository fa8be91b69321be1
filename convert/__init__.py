"""Converts a user's checkpoint into a model bundle."""

import bundles  # noqa: F401  must come first: it keeps ONNX Runtime from reporting to its vendor
