"""From labelled texts to a model bundle. Needs the training extra; nothing here runs while the service serves."""

import bundles  # noqa: F401  first of all: it keeps ONNX Runtime from reporting to its vendor
