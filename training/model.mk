# Targets for the models; the top Makefile includes this file.
# KOBERT_DATA names the folder of labelled files (default ../shared/data), KOBERT_BASE that of the encoder.
KOBERT_BASE ?= ../shared/models/e5-small-ko
TRAINING_RUN = $(BIN)/python -m training

.PHONY: model model-smoke

$(VENV)/.training: $(VENV)/.run
	@echo "Adding what training needs (once; torch is 200 MB)"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[training]'
	@$(PIP) install --quiet korcen==1.0.3 nerv-filter==0.1.0
	@touch $@

model: $(VENV)/.training  ## train, distil, quantise and report the embedded models (hours on a CPU)
	$(TRAINING_RUN) --base $(KOBERT_BASE)
	$(BIN)/python -m training.readme_table --write

model-smoke: $(VENV)/.training  ## the whole pipeline on made-up rows, in a minute or two
	rm -rf build/model-smoke
	$(TRAINING_RUN) --plan smoke --work build/model-smoke --models build/model-smoke/bundles --docs build/model-smoke/docs
