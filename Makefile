# The few commands. `make run` and `make test` set up what they need by themselves.
#
#   make run     set up, then start the whole portal on this machine
#   make setup   environment in .venv, contracts and H5 client built; seconds when nothing changed
#   make test    every test: unit, PostgreSQL, chain, browser, contracts, H5 client
#   make test-crash
#                the engine under kill -9, power loss, full disks and jumping clocks: 100 rounds, or
#                CRASH_ROUNDS=…; CRASH_SEED=… plays a loop again
#   make verify-contracts
#                the contracts at length: fuzz, invariants, coverage, proofs, mutants, slither, gas;
#                also one by one: verify-tests, -coverage, -proofs, -mutants, -slither
#   make gas     what each act on the escrow costs, beside the figures to beat
#   make check   every static check
#   make lock    write requirements/lock.txt anew from setup.cfg
#   make bench-orders (-match, -lifecycle, -http, -recovery, -memory, -stress, -chain)
#                measure this machine; BENCH_ARGS="--rate 20000" and so on: docs/benchmarks.md
#   make clean   remove what the above made; keeps ./var (your data)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$name" && break; done)
VENV := .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=
BENCH_ARGS ?=
CRASH_ROUNDS ?= 100

# Node of the system if it is new enough, else the one from PyPI inside .venv.
WITH_NODE = export PATH="$$($(BIN)/python -m portal.run.node):$$PATH";
SAY = printf '\n\033[1m== %s\033[0m\n'

CONTRACT_SOURCES := $(shell find contracts -type f \
	-not -path '*/node_modules/*' -not -path '*/out/*' -not -path '*/cache/*' 2>/dev/null)
H5_SOURCES := $(shell find h5_client -type f \
	-not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

# What is compiled is listed there, a module a line.
RULE_SOURCES := portal/compiling.py $(patsubst %,portal/%.py,$(shell \
	sed -n 's/^    "\([a-z_/]*\)",$$/\1/p' portal/compiling.py))

.PHONY: help run setup test test-crash check lock clean gas verify-contracts verify-tests

help:
	@sed -n 's/^#   //p' Makefile

run: setup
	@exec $(BIN)/portal run

setup: $(VENV)/.installed $(VENV)/.compiled contracts/node_modules/.built h5_client/node_modules/.built tests/node/node_modules/.installed

$(VENV)/bin/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed and was not found." \
		"Set PYTHON=/path/to/python3." >&2; exit 1; fi
	@$(SAY) "Making the virtual environment in $(VENV)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Could not make it. On Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: requirements/lock.txt setup.cfg pyproject.toml | $(VENV)/bin/python
	@$(SAY) "Installing Python packages from requirements/lock.txt (one to two minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
		--no-deps --require-hashes -r requirements/lock.txt \
		| grep --line-buffered -vE '^(Requirement already|Using cached|Looking in)'
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet \
		--no-deps --no-build-isolation --no-index --editable .
	@touch $@

# The engine's rules, by mypyc; without a C compiler they stay plain Python.
$(VENV)/.compiled: $(RULE_SOURCES) | $(VENV)/.installed
	@$(SAY) "Compiling the engine's rules (about a minute)"
	@$(BIN)/python -P portal/compiling.py
	@touch $@

contracts/node_modules/.installed: contracts/package-lock.json | $(VENV)/.installed
	@$(SAY) "Installing the tools for the contracts"
	@$(WITH_NODE) cd contracts && npm ci --no-fund --no-audit
	@touch $@

contracts/node_modules/.built: contracts/node_modules/.installed $(CONTRACT_SOURCES)
	@$(SAY) "Building the contracts"
	@$(WITH_NODE) cd contracts && npm run --silent build
	@touch $@

tests/node/node_modules/.installed: tests/node/package-lock.json | $(VENV)/.installed
	@$(SAY) "Installing the packages that judge ours in tests"
	@$(WITH_NODE) cd tests/node && npm ci --no-fund --no-audit
	@touch $@

h5_client/node_modules/.installed: h5_client/package-lock.json | $(VENV)/.installed
	@$(SAY) "Installing the tools for the H5 client"
	@$(WITH_NODE) cd h5_client && npm ci --no-fund --no-audit
	@touch $@

h5_client/node_modules/.built: h5_client/node_modules/.installed $(H5_SOURCES)
	@$(SAY) "Building the H5 client"
	@$(WITH_NODE) cd h5_client && npm run --silent build
	@touch $@

test: setup
	@$(SAY) "Contract tests"
	@$(WITH_NODE) cd contracts && npm test --silent
	@$(SAY) "H5 client tests"
	@$(WITH_NODE) cd h5_client && npm test --silent
	@$(SAY) "Portal tests: unit, PostgreSQL, chain, browser"
	@$(WITH_NODE) $(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(PYTEST_ARGS)

test-crash: setup
	@$(SAY) "Crash loop: $(CRASH_ROUNDS) rounds"
	@CRASH_ROUNDS=$(CRASH_ROUNDS) $(BIN)/python -m pytest -s tests/crash $(PYTEST_ARGS)

check: setup
	@$(SAY) "ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(SAY) "mypy --strict"
	@$(BIN)/mypy
	@$(SAY) "import directions"
	@PYTHONPATH=. $(BIN)/lint-imports
	@$(SAY) "contracts"
	@$(WITH_NODE) cd contracts && npm run --silent --if-present check
	@$(SAY) "H5 client"
	@$(WITH_NODE) cd h5_client && npm run --silent --if-present check

# halmos and slither have an environment of their own: what they need clashes with the portal's.
VERIFY := var/verify
VERIFY_PYTHON := $(VERIFY)/bin/python

$(VERIFY)/.installed: requirements/verify-contracts.txt
	@$(SAY) "Installing halmos and slither in $(VERIFY)"
	@mkdir -p var && "$(PYTHON)" -m venv $(VERIFY)
	@$(VERIFY_PYTHON) -m pip install --disable-pip-version-check --quiet \
		--require-hashes -r requirements/verify-contracts.txt
	@touch $@

verify-contracts: gas verify-tests verify-coverage verify-slither verify-proofs verify-mutants

gas: contracts/node_modules/.installed
	@$(SAY) "Gas of the escrow"
	@$(WITH_NODE) $(BIN)/python contracts/verification/gas.py

verify-tests: contracts/node_modules/.installed
	@$(SAY) "Contract tests: fuzz 10,000 runs, invariants 1,024 x 64"
	@$(WITH_NODE) cd contracts && FOUNDRY_PROFILE=verify npm test --silent -- --summary

VERIFY_PARTS := verify-coverage verify-proofs verify-mutants verify-slither
.PHONY: $(VERIFY_PARTS)
$(VERIFY_PARTS): verify-%: contracts/node_modules/.installed $(VERIFY)/.installed
	@$(SAY) "Contracts: $*"
	@$(WITH_NODE) $(VERIFY_PYTHON) contracts/verification/$*.py

bench-%: setup
	@exec $(BIN)/portal bench $* $(BENCH_ARGS)

lock: $(VENV)/.installed
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --extra local --extra dev setup.cfg --output-file requirements/lock.txt
	@$(SAY) "requirements/lock.txt is up to date; commit it with setup.cfg"

clean:
	find portal -name '*.so' -delete
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		contracts/node_modules contracts/out contracts/cache \
		h5_client/node_modules h5_client/dist
