# Two commands for a newcomer: `make demo` and `make test`. Each does its own set-up and is quick when nothing changed.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8080
ARGS ?=
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Extras stay: pip takes the newest of a package that is asked for with one and pinned without.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-strip-extras --no-emit-index-url

.PHONY: help demo test check lint types faults bench references calibration audit lock clean

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1	/' | expand -t 18

demo: $(VENV)/.run ## Everything on this machine, no server needed; prints the address (PORT=8080)
	@exec $(BIN)/temoin demo --port $(PORT) $(ARGS)

test: $(VENV)/.dev ## The tests; what cannot run here is skipped and says what is missing
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(ARGS) || { rm -f .coverage; exit 1; }

check: lint types .coverage ## Style, types, import rules, branch coverage (tests run again if anything changed)
	@$(BIN)/coverage report --skip-covered

lint: $(VENV)/.dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache

types: $(VENV)/.dev
	@$(BIN)/mypy

faults: $(VENV)/.dev ## The fault report: what is done to the river, and where every message is then
	@exec $(BIN)/python -m pytest -q -m "slow or report" tests/faults tests/service/test_stores_agree.py $(ARGS)

bench: $(VENV)/.dev ## The measurements, each printed as a table
	@for b in benchmarks/*.py; do case $$b in */calibration.py) ;; *) echo "== $$b"; $(BIN)/python $$b || exit 1; esac; done

references: $(VENV)/references/.ready ## The same beside pyfixest and wildboottest, in an environment of its own
	@$(VENV)/references/bin/python benchmarks/references.py
	@exec $(VENV)/references/bin/python -m pytest -q -p no:warnings --noconftest tests/experiments/test_references.py $(ARGS)

calibration: $(VENV)/.dev ## The calibration of the comparison (docs/method.md), under twenty minutes
	@exec $(BIN)/python benchmarks/calibration.py $(ARGS)

audit: $(VENV)/.dev ## Known faults of the locked packages (asks PyPI; before a release)
	@for lock in service/deploy/requirements.lock tests/requirements.lock; do echo "== $$lock"; \
		$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off --requirement $$lock $(ARGS) || exit 1; done

lock: $(VENV)/.dev ## Renew the three lock files of hashes from pyproject.toml
	@$(LOCK) --extra postgresql pyproject.toml -o service/deploy/requirements.lock
	@$(LOCK) --extra postgresql --group dev pyproject.toml -o tests/requirements.lock
	@$(LOCK) --group build -o service/deploy/build.lock

.coverage: $(VENV)/.dev $(shell git ls-files 2>/dev/null)
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder --cov --cov-report= $(ARGS) || { rm -f $@; exit 1; }

clean: ## Forget the virtual environment and every cache
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Témoin needs Python 3.11 or newer and found none. On Debian: apt-get install python3 python3-venv; or say which: make demo PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Preparing $(VENV) with $$($(PYTHON) --version) (once)…"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python pyproject.toml service/deploy/requirements.lock
	@echo "Installing what Témoin runs on (once, a minute or two)…"
	@$(INSTALL) --require-hashes -r service/deploy/requirements.lock || { echo "The packages could not be installed; the first time needs a package index, see the lines above." >&2; exit 1; }
	@$(INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run tests/requirements.lock
	@echo "Installing what the tests need (once)…"
	@$(INSTALL) --require-hashes -r tests/requirements.lock || { echo "The packages could not be installed; the first time needs a package index, see the lines above." >&2; exit 1; }
	@touch $@

$(VENV)/references/.ready: $(VENV)/.dev pyproject.toml
	@echo "Installing pyfixest and wildboottest (once)…"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/references
	@$(BIN)/uv pip install --quiet --python $(VENV)/references/bin/python --editable . --group references
	@touch $@
