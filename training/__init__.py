"""From labelled texts to a model bundle. Needs the training extra; nothing here runs while the service serves."""

import os

# ONNX Runtime 1.32 reports its use to Microsoft, and keeps a device id in the home directory, unless told not to before
# it is imported. Nothing leaves this machine that its owner has not sent.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
