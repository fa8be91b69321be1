#!/bin/sh
# Removes from a virtual environment what no run-time process reads, then compiles the rest: on a read-only root Python
# could not keep what it compiles, and would do it again at every start.
set -eu
packages=$(echo "$1"/lib/python3.*/site-packages)
find "$packages" -type d \( -name tests -o -name test -o -name testing_support \) -not -path '*/numpy/testing*' \
  -prune -exec rm -rf {} +
find "$packages" -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.c' -o -name '*.h' \
  -o -name '*.hpp' -o -name '*.a' -o -name '*.pyc' \) -delete
# ONNX Runtime brings its converters and model optimisers along; serving needs the runtime alone.
if [ "${2:-}" = serving ]; then
  rm -rf "$packages"/onnxruntime/transformers "$packages"/onnxruntime/tools "$packages"/onnxruntime/quantization \
    "$packages"/onnxruntime/datasets "$packages"/onnxruntime/backend
fi
"$1"/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$packages"
