# Needs Python 3.11+, git and make. Everything else is installed into .venv, as uv.lock says.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# The build for this machine is pip's to choose (on Linux from PyPI: CUDA), so it is not locked. CPU only:
# make train TORCH='torch==2.13.0 --extra-index-url https://download.pytorch.org/whl/cpu'
TORCH ?= torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help run test fuzz dev docs lint clean setup train

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

setup: $(STAMP)  ## install everything into .venv

$(STAMP): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "coevo needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'; }
	@UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never $(BIN)/uv sync --locked --all-extras --no-extra train --inexact --compile-bytecode --quiet --python $(BIN)/python
	@touch $(STAMP)

train: setup  ## install what `coevo chrysalis run` needs too: PyTorch, transformers, PEFT
	@$(BIN)/uv export --locked --all-extras --all-groups --no-hashes --no-emit-project --quiet | grep -Ev '^(torch|triton|nvidia|cuda)' > .venv/.constraints
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .venv/.constraints $(TORCH) transformers peft

run: setup  ## the whole pipeline, offline, on three days of the bundled sample
	@$(BIN)/coevo run --source sample --date 2019-03-25 --to 2019-03-27

test: setup  ## all tests
	@$(BIN)/python -m pytest

fuzz: setup  ## every parser against atheris, a minute each (Linux)
	@UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv run --no-sync --with atheris python -m coevo_pipelines_tests.fuzz.guided

dev: setup  ## the Dagster UI, opened on its lineage graph; on port 3000, or a free one
	@$(BIN)/python -m coevo_pipelines.orchestration.dev

docs: setup run  ## write what is generated of docs/ again: settings, tables, commands, the walk
	@$(BIN)/python -m coevo_pipelines.reference

lint: setup  ## formatting, lint, types, lock file
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/uv lock --check --quiet

clean:  ## remove the environment and caches; the lake stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
