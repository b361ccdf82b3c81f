PYTHON ?= python3

BIN := .venv/bin
# There is one environment, in two steps: requirements.lock has what serves and trains, requirements-dev.lock what tests
# and checks. Each step has a stamp file; a lock file that is newer than its stamp is installed over the environment.
SETUP := .venv/.complete
SETUP_DEV := .venv/.complete-dev
# A lock file is complete: make installs it without resolving, so that a later release of a package changes nothing. uv
# and pip install the same files.
UV := $(shell uv --version 2>/dev/null)
INSTALL := $(if $(UV),uv pip install --compile-bytecode --python $(BIN)/python,$(BIN)/python -m pip \
    --disable-pip-version-check install) --quiet --no-deps
UV_EXPORT = $(BIN)/uv export --quiet --frozen --no-emit-project --no-emit-index-url --no-header

# The name of the image and the program that builds it. If BASE_IMAGE is empty, the Dockerfile's default applies. The
# targets image and bench pass OPTIONS on unchanged.
IMAGE = sepal
ENGINE = $(firstword $(foreach name,docker podman buildah,$(shell command -v $(name) || true)))
BASE_IMAGE =
OPTIONS =
PYTEST = $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

# Only variables on make's own command line count: some shells and platforms export their own HOST or PORT.
option = $(if $(filter command,$(firstword $(origin $(1)))),--$(2) $($(1)))

.PHONY: help setup train serve token test coverage check bench format lock image clean
.DEFAULT_GOAL := help

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP_DEV)  ## create the whole environment .venv, with test tools and linters

train: $(SETUP)  ## fit a recipe and publish it: RECIPE=penguins (default: iris)
	@$(BIN)/python -m train $(if $(filter command,$(firstword $(origin RECIPE))),$(RECIPE),iris)

# `artifacts list` checks whether there is a model: `train` would import scikit-learn to find out.
serve: $(SETUP)  ## serve, after training iris if the store is empty; PORT=8123 HOST=0.0.0.0 WORKERS=2
	@$(BIN)/python -m artifacts list 2>/dev/null | grep ^MODEL > /dev/null || $(BIN)/python -m train iris --if-empty
	@exec $(BIN)/python -m serve run $(call option,HOST,host) $(call option,PORT,port) $(call option,WORKERS,workers)

token: $(SETUP)  ## print a token of the development user: make -s token
	@$(BIN)/python -m serve token

test: $(SETUP_DEV)  ## run the whole test suite
	@$(PYTEST)

coverage: $(SETUP_DEV)  ## run the whole test suite with the coverage gate, which takes half as long again
	@$(PYTEST) --cov --cov-report=term

check: $(SETUP_DEV)  ## run the linter, the formatter, the type checker, the import contracts and bandit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive artifacts serve train

bench: $(SETUP_DEV)  ## compare the speed of sepal with other servers, which takes 20 minutes; OPTIONS="--quick"
	@$(BIN)/python -m benchmarks.serving $(OPTIONS)

format: $(SETUP_DEV)  ## apply the automatic fixes of the linter and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(SETUP_DEV)  ## update the lock files from pyproject.toml
	$(BIN)/uv lock --quiet --upgrade
	$(UV_EXPORT) --output-file requirements-serve.lock
	$(UV_EXPORT) --extra train --group build --output-file requirements.lock
	$(UV_EXPORT) --all-extras --group build --output-file requirements-dev.lock

# Podman and buildah keep the health check only in Docker's format.
image:  ## build the container image; IMAGE=sepal ENGINE=podman BASE_IMAGE=...
	@BUILDAH_FORMAT=docker $(or $(ENGINE),$(error there is no docker, podman or buildah)) build $(OPTIONS) \
	    $(addprefix --build-arg BASE_IMAGE=,$(BASE_IMAGE)) --tag $(IMAGE) .

clean:  ## delete the environment and every cache; models and .sepal stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Create the environment if there is none or if it does not run; packages that a user installed into it stay.
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
	    { echo "sepal needs Python 3.11 or newer; choose one: make serve PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "this Python has no venv module; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "creating .venv, which takes a minute" >&2
	@rm -rf .venv && $(PYTHON) -m venv .venv
