# Proofs of the legacy path that are too long for every run; the top Makefile includes this.
KOBERT ?= ../shared/kobert
COMMENTS ?= ../shared/data/unlabelled_comments.jsonl
PROOF_DIR ?= runs/proofs

.PHONY: legacy-full gluonnlp-proof

legacy-full: $(VENV)/.dev  ## every checkpoint variant at KoBERT's size, against torch (minutes)
	$(BIN)/python -m tests.full_size.legacy_matrix $(KOBERT)/kobert_8002_rebuilt.spiece $(COMMENTS) $(PROOF_DIR)

gluonnlp-proof: $(VENV)/.dev  ## our tokens and ids against gluonnlp 0.10.0, which it builds (minutes)
	$(BIN)/python -m convert.proofs.gluonnlp_proof $(KOBERT)/kobert_8002_rebuilt.spiece $(COMMENTS) $(PROOF_DIR)/gluonnlp
