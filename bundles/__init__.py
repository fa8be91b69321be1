"""What a model is on disk, and how the one that `MODEL` names is found."""

import os

# ONNX Runtime 1.32 reports its use to Microsoft, and keeps a device id in the home directory, unless told not to before
# it is imported. Nothing leaves this machine that its owner has not sent.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
