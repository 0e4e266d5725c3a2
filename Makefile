# One command per job; `make help` lists them from the comments beside the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.NOTPARALLEL:

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Small tensors: one thread per worker is faster than threads that wait for each other.
WORKERS ?= 2
PAPER ?=
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help setup demo test .testing tested lint types check-tests test-slow test-gpu bench lstm-paper format clean

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

demo: $(READY) ## train, compare, save and use a model, in about a minute
	@$(BIN)/python examples/demo.py

# What passed is written down last: where one of these fails, make stops before it.
test: .testing lint types check-tests ## everything that must hold: style, rooms, types, tests, the code in the docs
	@$(BIN)/python tools/tested.py pass

.testing: $(READY)
	@$(BIN)/python tools/tested.py begin

tested: $(READY) ## was the current commit tested here? `make test` writes the one it passed on into .venv/.tested
	@$(BIN)/python tools/tested.py show

lint: $(READY) ## style, and the rooms' import contract
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-logo

types: $(READY) ## types on the public face
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

check-tests: $(READY) ## only the tests
	@$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(WORKERS)

test-slow: $(READY) ## the tests that take minutes: learning, resuming after a kill, memory
	@$(BIN)/python -m pytest -q -m slow --durations 5

test-gpu: $(READY) ## the tests that need a CUDA device
	@$(BIN)/python -m pytest -q -m gpu

bench: $(READY) ## measure side by side with named peers and print the ratios
	@$(BIN)/python bench/run.py

lstm-paper: $(READY) ## run the LSTM paper's experiments, hours, resumable; PAPER="--quick" for five minutes
	@cd examples && ../$(BIN)/python -m lstm_paper $(PAPER)

format: $(READY) ## put the code into shape
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

clean: ## remove what the tools made, .venv included
	@rm -rf .venv .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
