"""The process that owns the model: Celery task threads feed a micro-batcher, which model threads empty."""

import bundles  # noqa: F401  must come first: it keeps ONNX Runtime from reporting to its vendor
