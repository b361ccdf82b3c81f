PYTHON ?= python3

BIN := .venv/bin
SETUP := .venv/.complete

# Only what stands on make's own command line: shells and platforms export a HOST or a PORT of their own.
option = $(if $(filter command,$(firstword $(origin $(1)))),--$(2) $($(1)))

.PHONY: help setup train serve token test check format lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP)  ## make the environment .venv from the lock file

train: $(SETUP)  ## fit iris and publish it
	@$(BIN)/python -m train iris

serve: $(SETUP)  ## serve, iris trained first if the store is empty; PORT=8123 HOST=0.0.0.0 WORKERS=2
	@$(BIN)/python -m train iris --if-empty
	@exec $(BIN)/python -m serve run $(call option,HOST,host) $(call option,PORT,port) $(call option,WORKERS,workers)

token: $(SETUP)  ## print a token of the development user: make -s token
	@$(BIN)/python -m serve token

test: $(SETUP)  ## the whole suite, with the coverage gate
	@$(BIN)/python -m pytest --cov --cov-report=term

check: $(SETUP)  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(SETUP)  ## rewrite what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(SETUP)  ## renew requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv export --quiet --upgrade --all-extras --no-emit-project --no-emit-index-url --no-header \
	    --output-file requirements.lock

clean:  ## remove the environment and every cache; models and .sepal stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is the last thing made: an environment that was cut short is made anew.
$(SETUP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "sepal needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "this Python has no venv module; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "making .venv, which takes a minute" >&2
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@
