# Proofs of conversions that are too long for every run; the top Makefile includes this.
KOBERT ?= ../shared/kobert
COMMENTS ?= ../shared/data/unlabelled_comments.jsonl
# Encoders, such as models/default ../shared/models/e5-small-ko, and labelled comments to train heads on.
ENCODER ?= models/default
LABELLED ?= ../shared/data/beep.jsonl
PROOF_DIR ?= runs/proofs

.PHONY: source-matrix trained-heads gluonnlp-proof tokens-proof

# Made-up comments and a vocabulary trained on them stand in for files that are not there.
source-matrix: $(VENV)/.dev  ## every kind of source at its real size, against torch, into docs/own-model.md (half an hour)
	$(BIN)/python -m tests.full_size.source_matrix $(PROOF_DIR)/sources $(and $(wildcard $(COMMENTS)),--comments $(COMMENTS)) \
	  --sentencepiece $(KOBERT)/kobert_8002_rebuilt.spiece --resume --write

trained-heads: $(VENV)/.dev  ## trained heads of four families, int8 against torch, into docs/own-model.md (minutes)
	$(BIN)/python -m tests.full_size.trained_heads $(PROOF_DIR)/heads --base $(ENCODER) --data $(LABELLED) --write

gluonnlp-proof: $(VENV)/.dev  ## our tokens and ids against gluonnlp 0.10.0, which it builds (minutes)
	$(BIN)/python -m convert.proofs.gluonnlp_proof $(KOBERT)/kobert_8002_rebuilt.spiece $(COMMENTS) $(PROOF_DIR)/gluonnlp

tokens-proof: $(VENV)/.dev  ## ids of word pieces, byte-level BPE and XLM-R's SentencePiece against their references (a minute)
	$(BIN)/python -m tests.full_size.token_matrix $(COMMENTS) $(PROOF_DIR)/tokens
