# Proofs of the legacy path that are too long for every run; the top Makefile includes this.
KOBERT ?= ../shared/kobert
COMMENTS ?= ../shared/data/unlabelled_comments.jsonl
PROOF_DIR ?= runs/proofs

.PHONY: legacy-full gluonnlp-proof tokens-proof

legacy-full: $(VENV)/.dev  ## every checkpoint variant at KoBERT's size, against torch (minutes)
	$(BIN)/python -m tests.full_size.legacy_matrix $(KOBERT)/kobert_8002_rebuilt.spiece $(COMMENTS) $(PROOF_DIR)

gluonnlp-proof: $(VENV)/.dev  ## our tokens and ids against gluonnlp 0.10.0, which it builds (minutes)
	$(BIN)/python -m convert.proofs.gluonnlp_proof $(KOBERT)/kobert_8002_rebuilt.spiece $(COMMENTS) $(PROOF_DIR)/gluonnlp

tokens-proof: $(VENV)/.dev  ## ids of word pieces, byte-level BPE and XLM-R's SentencePiece against their references (a minute)
	$(BIN)/python -m tests.full_size.token_matrix $(COMMENTS) $(PROOF_DIR)/tokens
