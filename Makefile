# One command per job; `make help` lists them from the comments after the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.NOTPARALLEL:

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# What makes a release and what tries the lowest versions: environments of their own.
RELEASE := .venv-release
LOWEST := .venv-lowest
LOWEST_TESTS ?= tests/data tests/codecs tests/cli/test_commands.py tests/report tests/export/test_command.py \
	tests/metrics/texts tests/serving/test_routes.py tests/serving/test_websocket.py tests/conformance/test_stores.py
# Small tensors: one thread per worker is faster than threads that wait for each other.
WORKERS ?= 2
PAPER ?=
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: lock lowest test-lowest sbom release help setup demo test .testing tested lint types check-tests test-slow test-gpu bench lstm-paper format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install the package and its tools into .venv

# torch goes first: with it in place, nothing pulls in another build of it.
$(READY): pyproject.toml constraints.txt
	@echo "Installing into .venv (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev,demo,track]'
	@touch $@

demo: $(READY) ## train, compare, save and use three models, in about two minutes
	@$(BIN)/python examples/demo.py

# What passed is written down last: where one of these fails, make stops before it.
test: .testing lint types check-tests ## all checks: style, layers, types, tests, the code in the docs
	@$(BIN)/python tools/tested.py pass

.testing: $(READY)
	@$(BIN)/python tools/tested.py begin

tested: $(READY) ## check that the current commit was tested here: `make test` writes the tested commit to .venv/.tested
	@$(BIN)/python tools/tested.py show

lint: $(READY) ## check style and the import layers
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-logo

types: $(READY) ## check the types
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

# Each worker begins with a stretch of whole files, so that models shared within a file are fitted once. A test that
# hangs fails after 15 minutes, instead of the whole run.
check-tests: $(READY) ## run only the tests
	@$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --timeout 900

test-slow: $(READY) ## run the tests that take minutes: training, resuming after a kill, memory
	@$(BIN)/python -m pytest -q -m slow --durations 5

test-gpu: $(READY) ## run the tests that need a CUDA device
	@$(BIN)/python -m pytest -q -m gpu

bench: $(READY) ## run the benchmarks and print the ratios to other libraries
	@$(BIN)/python bench/run.py

lstm-paper: $(READY) ## run the experiments of the LSTM paper (hours, resumable; PAPER="--quick" takes five minutes)
	@cd examples && ../$(BIN)/python -m lstm_paper $(PAPER)

format: $(READY) ## format the code
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

$(RELEASE)/.ready: constraints-release.txt
	@test -x $(RELEASE)/bin/python || $(PYTHON) -m venv $(RELEASE)
	@$(RELEASE)/bin/python -m pip install -qq --disable-pip-version-check -c constraints-release.txt uv cyclonedx-bom
	@touch $@

lock: $(RELEASE)/.ready ## write the hashes of all pins into requirements-hashes.txt
	@$(RELEASE)/bin/python tools/hashes.py

lowest: $(RELEASE)/.ready ## write the lowest versions that pyproject.toml allows into constraints-lowest.txt
	@$(RELEASE)/bin/python tools/lowest.py

# Warnings of old libraries about each other are theirs, and not errors here; our own are, in `make test`.
test-lowest: ## run the tests that depend most on other libraries, with the lowest versions of all of them
	@test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	@$(LOWEST)/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt torch
	@$(LOWEST)/bin/python -m pip install -qq --disable-pip-version-check -r constraints-lowest.txt
	@$(LOWEST)/bin/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@$(ONE_THREAD) $(LOWEST)/bin/python -m pytest -q -p no:cacheprovider -W ignore::DeprecationWarning \
		-W ignore::PendingDeprecationWarning -W ignore::FutureWarning $(LOWEST_TESTS)

sbom: $(READY) $(RELEASE)/.ready ## write a bill of materials of all runtime packages into dist/
	@mkdir -p dist
	@$(BIN)/python tools/sbom.py | $(RELEASE)/bin/cyclonedx-py requirements - --pyproject pyproject.toml \
		--mc-type library --output-reproducible -o dist/unrolled.cdx.json

release: sbom ## build the wheel and the sdist into dist/, with their bill of materials
	@$(RELEASE)/bin/uv build --quiet --out-dir dist

clean: ## remove all generated files, also .venv
	@rm -rf .venv .venv-release .venv-lowest .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
