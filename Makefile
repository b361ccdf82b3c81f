PYTHON ?= python3

BIN := .venv/bin
# One environment, which grows: what serves and trains, from requirements.lock, then what tests and checks, from
# requirements-dev.lock. Each has a stamp; a lock file that is newer than its stamp is installed over what is there.
SETUP := .venv/.complete
SETUP_DEV := .venv/.complete-dev
# A lock file is complete: nothing is resolved, so that a later release of a package changes nothing. uv and pip
# install the same files.
UV := $(shell uv --version 2>/dev/null)
INSTALL := $(if $(UV),uv pip install --compile-bytecode --python $(BIN)/python,$(BIN)/python -m pip \
    --disable-pip-version-check install) --quiet --no-deps
UV_EXPORT = $(BIN)/uv export --quiet --frozen --no-emit-project --no-emit-index-url --no-header

# The image's name and what builds it; the Dockerfile names a base of its own. OPTIONS go to image and bench as they are.
IMAGE = sepal
ENGINE = $(firstword $(foreach name,docker podman buildah,$(shell command -v $(name) || true)))
BASE_IMAGE =
OPTIONS =
PYTEST = $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

# Only what stands on make's own command line: shells and platforms export a HOST or a PORT of their own.
option = $(if $(filter command,$(firstword $(origin $(1)))),--$(2) $($(1)))

.PHONY: help setup train serve token test coverage check bench format lock image clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP_DEV)  ## make the whole environment .venv, with what tests and checks

train: $(SETUP)  ## fit a recipe and publish it: RECIPE=penguins, iris if none is named
	@$(BIN)/python -m train $(if $(filter command,$(firstword $(origin RECIPE))),$(RECIPE),iris)

# Whether there is a model is asked of the store: training would import scikit-learn to find out.
serve: $(SETUP)  ## serve, iris trained first if the store is empty; PORT=8123 HOST=0.0.0.0 WORKERS=2
	@$(BIN)/python -m artifacts list 2>/dev/null | grep ^MODEL > /dev/null || $(BIN)/python -m train iris --if-empty
	@exec $(BIN)/python -m serve run $(call option,HOST,host) $(call option,PORT,port) $(call option,WORKERS,workers)

token: $(SETUP)  ## print a token of the development user: make -s token
	@$(BIN)/python -m serve token

test: $(SETUP_DEV)  ## the whole suite
	@$(PYTEST)

coverage: $(SETUP_DEV)  ## the whole suite, measured, with the coverage gate, which takes half as long again
	@$(PYTEST) --cov --cov-report=term

check: $(SETUP_DEV)  ## lint, format, types, import contracts, bandit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive artifacts serve train

bench: $(SETUP_DEV)  ## measure sepal beside its peers, which takes 20 minutes; OPTIONS="--quick"
	@$(BIN)/python -m benchmarks.serving $(OPTIONS)

format: $(SETUP_DEV)  ## rewrite what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(SETUP_DEV)  ## renew the lock files from pyproject.toml
	$(BIN)/uv lock --quiet --upgrade
	$(UV_EXPORT) --output-file requirements-serve.lock
	$(UV_EXPORT) --extra train --group build --output-file requirements.lock
	$(UV_EXPORT) --all-extras --group build --output-file requirements-dev.lock

# Podman and buildah keep the health check only if they are asked for Docker's format.
image:  ## build the container image; IMAGE=sepal ENGINE=podman BASE_IMAGE=...
	@BUILDAH_FORMAT=docker $(or $(ENGINE),$(error there is no docker, podman or buildah)) build $(OPTIONS) \
	    $(addprefix --build-arg BASE_IMAGE=,$(BASE_IMAGE)) --tag $(IMAGE) .

clean:  ## remove the environment and every cache; models and .sepal stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made where there is none that runs; what a user has installed into it stays.
$(SETUP): requirements.lock pyproject.toml
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(MAKE) --no-print-directory environment
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(SETUP_DEV): $(SETUP) requirements-dev.lock
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: environment
environment:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "sepal needs Python 3.11 or newer; name one: make serve PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "this Python has no venv module; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "making .venv, which takes a minute" >&2
	@rm -rf .venv && $(PYTHON) -m venv .venv
