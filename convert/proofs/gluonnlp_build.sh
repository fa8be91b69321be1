#!/usr/bin/env bash
# Builds gluonnlp 0.10.0 in a virtual environment of its own: gluonnlp_build.sh FOLDER. Its shipped C file is stale and
# does not compile on Python 3.11; without it Cython makes a new one.
set -euo pipefail
folder=$1
mkdir -p "$folder"
test -x "$folder/venv/bin/python" || python3.11 -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install "cython<3" "numpy<1.24" "setuptools<70" wheel mxnet==1.9.1 sentencepiece
"${pip[@]}" download --no-deps --no-binary gluonnlp --no-build-isolation --dest "$folder" gluonnlp==0.10.0
tar -xzf "$folder/gluonnlp-0.10.0.tar.gz" -C "$folder"
rm -f "$folder/gluonnlp-0.10.0/src/gluonnlp/data/fast_bert_tokenizer.c"
"${pip[@]}" install --no-build-isolation "$folder/gluonnlp-0.10.0"
