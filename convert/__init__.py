"""Turning a checkpoint that a user already has into a model bundle."""

import bundles  # noqa: F401  first of all: it keeps ONNX Runtime from reporting to its vendor
