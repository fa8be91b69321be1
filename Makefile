# The two commands of this project: `make run` serves, `make test` tests. Both set up what they need.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
# `docker`, or a script with the sub-commands that tests/containers/engine.py lists.
CONTAINER_ENGINE ?= docker
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Tests and benchmarks start some thousand processes: with this set, as in many images, each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
# What a lock names, and only if the file that comes has the hash that the lock has.
LOCKED := install --quiet --require-hashes --requirement requirements/build.lock --requirement
TOOLS := $(VENV)/tools
# Several run at a time: with two threads each, torch would wait in every step for the one that has no core.
ONE_THREAD := OMP_NUM_THREADS=1
# A file's tests stay together: they share servers. What tests start is no part of this make.
PYTEST := $(ONE_THREAD) env -u MAKEFLAGS -u MAKELEVEL $(BIN)/pytest --dist loadfile -n
# Unit tests compute. Tests with real processes wait for them most of their time, so more run at once than there are two cores.
UNIT_PROCESSES ?= 2
SLOW_PROCESSES ?= 6
# Their tests take minutes of a processor, in one file each: begun last, one would run on alone.
LONGEST := tests/e2e tests/integration/training
# To import a file of tests takes each process as long as some tests do, so only those that have such tests are.
SLOW_TESTS = $(LONGEST) $(filter-out $(LONGEST) %.py,$(sort $(wildcard tests/integration/[a-z]*))) \
  $(sort $(wildcard tests/integration/test_*.py)) $(shell grep -rlE 'mark\.(integration|e2e)' tests/unit tests/test_*.py | sort)
# Parts that run beside each other: how many at a time, and which.
BESIDE := MAKE=$(MAKE) $(BIN)/python tests/support/beside.py

.DEFAULT_GOAL := help
.PHONY: help run test lint typecheck compile fast-test slow-test nightly schema-cases browser-test containers-test coverage bench-smoke chaos soak attack lock sbom pin-images audit hooks release clean

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# A new environment, as it must be before anything is installed.
NEW_VENV = $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; name one with PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	  test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml requirements/run.lock
	@echo "Setting up $(VENV) (once; about a minute) with $$($(PYTHON) --version)"
	@$(NEW_VENV)
	@$(PIP) $(LOCKED) requirements/run.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# All of `.run` and more, so it marks that as made, too. Of its 19,000 modules the tests import a few thousand, which
# `compile` compiles. torch has no lock: its CPU build comes from another index on each system. constraints.txt still has
# its version, and nothing else has a file of its wheel: its 190 MB are unpacked while the rest is installed.
$(VENV)/.dev: pyproject.toml requirements/run.lock constraints.txt requirements/dev.lock
	@echo "Setting up $(VENV) with what the tests and the training need (once; a minute or two)"
	@$(NEW_VENV)
	@$(PIP) install --quiet --no-compile --no-deps --constraint constraints.txt torch & torch=$$!; \
	  $(PIP) $(LOCKED) requirements/dev.lock --no-compile; locked=$$?; wait $$torch && exit $$locked
	@$(PIP) install --quiet --no-compile --no-build-isolation --constraint constraints.txt --editable '.[dev,training]'
	@touch $(VENV)/.run $@

$(VENV)/.convert: $(VENV)/.run
	@echo "Adding what converts a model of your own (once; a minute)"
	@$(PIP) install --quiet --no-build-isolation --constraint constraints.txt --editable '.[convert]'
	@touch $@

$(VENV)/.convert-any: $(VENV)/.run
	@echo "Adding what converts a model of your own, and transformers for its architecture (once; a minute)"
	@$(PIP) install --quiet --no-build-isolation --constraint constraints.txt --editable '.[convert-any]'
	@touch $(VENV)/.convert $@

# 3, 4: MODEL (of the environment or of .env) is there and must be converted; a misspelt one ends it before torch comes.
run: $(VENV)/.run  ## serve on http://127.0.0.1:8000 with the embedded model and store
	@if [ -z "$$MODEL" ] && ! { [ -f .env ] && grep -qs MODEL .env; }; then exit 0; fi; \
	  $(BIN)/kobert model check >/dev/null || case $$? in \
		3) $(MAKE) --no-print-directory $(VENV)/.convert ;; \
		4) $(MAKE) --no-print-directory $(VENV)/.convert-any ;; \
		*) exit 1 ;; esac
	@exec $(BIN)/kobert run

# CI adds the benchmarks. They come last, beside the slow tests, which leave a third of two processors idle.
test: lint  ## all tests; with ALSO=bench-smoke, everything that CI runs
	@$(BESIDE) 2 compile typecheck slow-test fast-test browser-test $(ALSO)

# Python keeps what it has compiled. Eight processes import the same thousands of modules when the tests begin, and on a
# new clone each would compile all of them, for 16 s. What cannot be imported is told by the tests.
compile: $(VENV)/.dev
	@$(BIN)/python -c 'import api.main, cli.start, worker.main'
	@$(BIN)/pytest --collect-only -qq >/dev/null || true

lint: $(VENV)/.dev  ## style and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

typecheck: $(VENV)/.dev  ## types, strictly
	$(BIN)/mypy

fast-test: $(VENV)/.dev  ## unit tests: seconds
	$(PYTEST) $(UNIT_PROCESSES) -m 'not integration and not e2e and not browser and not containers and not slow' tests/unit tests/test_*.py

# In order: those whose files take longest begin, and short ones of tests/unit end. By itself xdist puts long files of few tests last.
slow-test: $(VENV)/.dev  ## real servers and processes: minutes
	$(PYTEST) $(SLOW_PROCESSES) --no-loadscope-reorder -m '(integration or e2e) and not slow' $(SLOW_TESTS)

nightly: $(VENV)/.dev  ## 20,000 hostile requests of each kind, 3,000 by the OpenAPI, results in LibreOffice: hours
	$(PIP) install --quiet --constraint constraints.txt --editable '.[examples]'
	KOBERT_FUZZ_EXAMPLES=20000 $(BIN)/pytest tests/integration/test_job_fuzz.py tests/integration/test_predict_fuzz.py
	KOBERT_SCHEMA_EXAMPLES=250 $(BIN)/pytest tests/integration/test_openapi.py
	$(BIN)/pytest -m slow tests

schema-cases: $(VENV)/.dev  ## 20,000 requests made of the OpenAPI, every check of schemathesis: half an hour
	KOBERT_SCHEMA_CASES=20000 KOBERT_SCHEMA_EXAMPLES=50 $(BIN)/pytest -s tests/integration/test_openapi.py

# In processes of its own: the browser's driver keeps an event loop running.
browser-test: $(VENV)/.dev  ## the console in Debian's Chromium (apt-get install chromium): a minute or two
	$(PYTEST) $(UNIT_PROCESSES) -m browser tests/browser

containers-test: $(VENV)/.dev  ## images and compose on CONTAINER_ENGINE (docker): minutes
	CONTAINER_ENGINE=$(CONTAINER_ENGINE) $(BIN)/pytest -m containers -rP tests/containers

coverage: $(VENV)/.dev  ## branch coverage of all tests, subprocesses included
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest tests
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# The longest first: three run at a time.
SMOKED := soak peers full_kobert own_model ceiling teach_corrections startup chaos faults attack \
  bulk_and_predict million_rows live_feed record_replies overload predict result_pages policy_words \
  result_cache cascade goals spans model_threads passes pack_rows corrections

bench-smoke: $(VENV)/.dev  ## every benchmark for a few seconds, to show that it runs
	@$(BESIDE) 3 $(SMOKED:%=smoke-%)

smoke-%: $(VENV)/.dev
	$(ONE_THREAD) $(BIN)/python -m bench.$* --smoke $(SMOKE_OPTIONS)

smoke-attack: SMOKE_OPTIONS := --write $(VENV)/attacks.md

chaos: $(VENV)/.dev  ## 60 large jobs with a process killed in the middle; 440 trials of 22 faults: an hour and more
	$(BIN)/python -m bench.chaos
	$(BIN)/python -m bench.faults

soak: $(VENV)/.dev  ## an hour of mixed use: memory, descriptors and keys must not grow
	$(BIN)/python -m bench.soak

attack: $(VENV)/.dev  ## each attack on a service with its defaults, beside victims: seventeen minutes
	$(BIN)/python -m bench.attack

$(TOOLS)/.tools: $(VENV)/.run requirements/tools.lock
	@$(BIN)/python -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip --disable-pip-version-check $(LOCKED) requirements/tools.lock
	@touch $@

lock: $(TOOLS)/.tools  ## pin and hash every dependency again, after a change of pyproject.toml or constraints.txt
	$(TOOLS)/bin/python deploy/supply/lock.py

sbom: $(TOOLS)/.tools  ## what the service is made of: build/sbom.json (CycloneDX), build/third-party-notices.txt
	$(TOOLS)/bin/python deploy/supply/sbom.py $(BIN)/python

pin-images:  ## write the digests of the base images into the Dockerfiles; asks Docker Hub
	$(PYTHON) deploy/supply/pin_images.py

audit: $(TOOLS)/.tools  ## known vulnerabilities of what make run installs, where they can be looked up
	$(TOOLS)/bin/python deploy/supply/audit.py

hooks: $(VENV)/.dev  ## run `make lint`'s checks before each commit
	$(BIN)/python -m pre_commit install

release: $(VENV)/.dev  ## check, test, set the version and tag: make release VERSION=0.2.0
	@test -n "$(VERSION)" || { echo "say which version: make release VERSION=0.2.0" >&2; exit 1; }
	$(BIN)/python deploy/release.py $(VERSION)

clean:  ## remove what was set up and built, but not the data of a service
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage*

include convert/legacy.mk training/model.mk
