PYTHON ?= python3

BIN := .venv/bin
SETUP := .venv/.complete
UV_EXPORT := $(BIN)/uv export --quiet --frozen --no-emit-project --no-emit-index-url --no-header

# The image's name and what builds it; the Dockerfile names a base of its own. OPTIONS go to image and bench as they are.
IMAGE = sepal
ENGINE = $(firstword $(foreach name,docker podman buildah,$(shell command -v $(name) || true)))
BASE_IMAGE =
OPTIONS =

# Only what stands on make's own command line: shells and platforms export a HOST or a PORT of their own.
option = $(if $(filter command,$(firstword $(origin $(1)))),--$(2) $($(1)))

.PHONY: help setup train serve token test check bench format lock image clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP)  ## make the environment .venv from the lock file

train: $(SETUP)  ## fit a recipe and publish it: RECIPE=penguins, iris if none is named
	@$(BIN)/python -m train $(if $(filter command,$(firstword $(origin RECIPE))),$(RECIPE),iris)

# Whether there is a model is asked of the store: training would import scikit-learn to find out.
serve: $(SETUP)  ## serve, iris trained first if the store is empty; PORT=8123 HOST=0.0.0.0 WORKERS=2
	@$(BIN)/python -m artifacts list 2>/dev/null | grep ^MODEL > /dev/null || $(BIN)/python -m train iris --if-empty
	@exec $(BIN)/python -m serve run $(call option,HOST,host) $(call option,PORT,port) $(call option,WORKERS,workers)

token: $(SETUP)  ## print a token of the development user: make -s token
	@$(BIN)/python -m serve token

test: $(SETUP)  ## the whole suite, with the coverage gate
	@$(BIN)/python -m pytest --cov --cov-report=term --numprocesses=auto --maxprocesses=4 \
	    --dist=loadfile --no-loadscope-reorder

check: $(SETUP)  ## lint, format, types, import contracts, bandit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive artifacts serve train

bench: $(SETUP)  ## measure sepal beside its peers, which takes 20 minutes; OPTIONS="--quick"
	@$(BIN)/python -m benchmarks.serving $(OPTIONS)

format: $(SETUP)  ## rewrite what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(SETUP)  ## renew the lock files from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv lock --quiet --upgrade
	$(UV_EXPORT) --all-extras --output-file requirements.lock
	$(UV_EXPORT) --output-file requirements-serve.lock

# Podman and buildah keep the health check only if they are asked for Docker's format.
image:  ## build the container image; IMAGE=sepal ENGINE=podman BASE_IMAGE=...
	@BUILDAH_FORMAT=docker $(or $(ENGINE),$(error there is no docker, podman or buildah)) build $(OPTIONS) \
	    $(addprefix --build-arg BASE_IMAGE=,$(BASE_IMAGE)) --tag $(IMAGE) .

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
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $@
