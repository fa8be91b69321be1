"""Model bundles: their format on disk, and how to find the one that `MODEL` names."""

import os

# Must be set before the import: ONNX Runtime 1.32 otherwise sends usage data to Microsoft and keeps a device id in the
# home directory.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
