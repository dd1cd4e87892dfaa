# Parley's commands. `make` alone explains them; each does its own set-up and is quick the second time.
#
# Two environments, because the service must never need torch:
#   .venv        the service; `make test` and `make check` add the development tools
#   .venv-train  training: torch, onnx and the development tools
# Each has a stamp that is older than pyproject.toml exactly when its dependencies may have changed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first Python on the PATH that is new enough; override with `make serve PYTHON=/path/to/python3.12`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Where pip may also look for torch. On the open internet, PyTorch's index of CPU builds:
#   make train-env TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Empty: pip as it is configured on this machine.
TORCH_INDEX ?=

MODELS ?= exported
# What answers requests that say neither a model nor languages.
DEFAULT_MODEL ?= tatoeba-de-en
LISTEN ?= 127.0.0.1:50051
HTTP   ?= 127.0.0.1:8080
# Handed to pytest by `make test`, for example ARGS="-k beam -x".
ARGS   ?=
# Handed to the benchmarks by `make bench`; `make bench BENCH_ARGS=--help` lists them.
BENCH_ARGS ?=
# Handed to the soak by `make soak`, for example SOAK_ARGS="--requests 500 --in-process".
SOAK_ARGS ?=
# Handed to `parley serve` by `make serve`, for example SERVE_ARGS="--log-level debug".
SERVE_ARGS ?=

VENV  := .venv
TRAIN := .venv-train
SERVICE_READY := $(VENV)/.ready-service
DEV_READY     := $(VENV)/.ready-dev
TRAIN_READY   := $(TRAIN)/.ready

# What needs torch; everything else under tests/ runs where torch is absent.
TRAIN_TESTS := tests/training tests/parity

PIP_INSTALL = -m pip install --quiet --disable-pip-version-check

.PHONY: help
help:  ## this text
	@echo "Parley: train, export and serve translation models. What make can do here:"
	@echo
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "Start with 'make serve'. Settings: MODELS=$(MODELS) LISTEN=$(LISTEN) HTTP=$(HTTP) SERVE_ARGS= ARGS= PYTHON= TORCH_INDEX="

# --- environments ------------------------------------------------------------------------------------------------------

define create_environment
	@test -n "$(PYTHON)" || { echo "Parley needs Python 3.11 or newer; none found. Name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(1)/bin/python && $(1)/bin/python -m pip --version >/dev/null 2>&1 || { echo "Creating $(1) with $(PYTHON)"; $(PYTHON) -m venv --clear $(1); } || \
		{ echo "Could not create $(1); on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
endef

$(SERVICE_READY): pyproject.toml
	$(call create_environment,$(VENV))
	@echo "Installing the service into $(VENV)"
	@$(VENV)/bin/python $(PIP_INSTALL) -e .
	@touch $@

$(DEV_READY): $(SERVICE_READY)
	@echo "Adding the development tools to $(VENV)"
	@$(VENV)/bin/python $(PIP_INSTALL) -e '.[dev]'
	@touch $@

$(TRAIN_READY): pyproject.toml
	$(call create_environment,$(TRAIN))
	@echo "Installing training (torch, onnx) and the development tools into $(TRAIN)"
	@$(TRAIN)/bin/python $(PIP_INSTALL) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -e '.[train,dev]'
	@touch $@

.PHONY: train-env
train-env: $(TRAIN_READY)  ## the environment for training: .venv-train with torch (TORCH_INDEX names torch's index)
	@echo "Ready: $(TRAIN)/bin/parley-train --help"

# --- use ---------------------------------------------------------------------------------------------------------------

# Ctrl-C goes to every process of the terminal's foreground group, and make would report the interrupt as its own
# failure although the server drains and exits 0. So on a terminal the server gets a group of its own (set -m);
# elsewhere it takes the shell's place (exec) and its exit code is make's.
.PHONY: serve
serve: $(SERVICE_READY)  ## run the server on the shipped models; Ctrl-C drains and stops it
	@echo "Starting Parley on $(LISTEN), metrics and probes on http://$(HTTP). In a second terminal, here:"
	@echo
	@echo "    echo 'Wo ist der Bahnhof?' | .venv/bin/parley translate$(if $(filter 127.0.0.1:50051,$(LISTEN)),, --server $(LISTEN))"
	@echo "    .venv/bin/parley models$(if $(filter 127.0.0.1:50051,$(LISTEN)),, --server $(LISTEN))"
	@echo "    curl http://$(HTTP)/metrics"
	@echo
	@if [ -t 0 ]; then trap '' TSTP; set -m; else e=exec; fi; \
	$$e $(VENV)/bin/parley serve --models $(MODELS) --default-model '$(DEFAULT_MODEL)' --listen $(LISTEN) --http $(HTTP) $(SERVE_ARGS)

# --- tests -------------------------------------------------------------------------------------------------------------

.PHONY: test test-service test-training
test: $(DEV_READY) $(TRAIN_READY)  ## every test: the service where torch is absent, then training
	@$(MAKE) --keep-going test-service test-training

test-service: $(DEV_READY)
	@echo "== service suite (without torch)"
	@$(VENV)/bin/python -m pytest $(TRAIN_TESTS:%=--ignore=%) $(ARGS)

test-training: $(TRAIN_READY)
	@echo "== training suite (with torch)"
	@$(TRAIN)/bin/python -m pytest $(wildcard $(TRAIN_TESTS)) $(ARGS)

.PHONY: bench
bench: $(SERVICE_READY)  ## measure Parley beside its peers, 20 minutes (BENCH_ARGS=--quick for a rough look)
	@$(VENV)/bin/python -m tests.benchmarks $(BENCH_ARGS)

.PHONY: soak
soak: $(DEV_READY)  ## 10,000 mixed requests in a crowd and one by one must get the same answers (SOAK_ARGS=--help)
	@$(VENV)/bin/python -m tests.soak $(SOAK_ARGS)

# --- checks ------------------------------------------------------------------------------------------------------------

.PHONY: check format format-check lint types-service types-training floors stubs-fresh
check: $(DEV_READY) $(TRAIN_READY)  ## format, lint, types, import floors, generated code fresh
	@$(MAKE) --keep-going format-check lint types-service types-training floors stubs-fresh
	@echo "check: all good"

format-check: $(DEV_READY)
	@echo "== format"; $(VENV)/bin/ruff format --check .

lint: $(DEV_READY)
	@echo "== lint"; $(VENV)/bin/ruff check .

types-service: $(DEV_READY)
	@echo "== types of the service"; $(VENV)/bin/mypy service

types-training: $(TRAIN_READY)
	@echo "== types of training"; $(TRAIN)/bin/mypy training

floors: $(DEV_READY)
	@echo "== import floors"; $(VENV)/bin/lint-imports --no-cache

stubs-fresh: $(DEV_READY)
	@echo "== generated code"; fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	$(call generate,$$fresh) && \
	diff --recursive --brief --exclude=__pycache__ --exclude=__init__.py "$$fresh/$(PB)" $(PB) || \
	{ echo "$(PB) does not match proto/: run 'make proto' and commit the result" >&2; exit 1; }

format: $(DEV_READY)  ## let ruff format the code and mend what it can
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

# --- generated code ----------------------------------------------------------------------------------------------------

# `-Iservice/rpc/pb=proto` gives the stubs the import path service.rpc.pb..., so that nothing needs editing
# and proto/ need not be (and must not become) a Python package: that name belongs to another library.
PB := service/rpc/pb
PROTOS := $(sort $(shell find proto -name '*.proto' 2>/dev/null))
generate = $(VENV)/bin/python -m grpc_tools.protoc -I$(PB)=proto --python_out=$(1) --pyi_out=$(1) --grpc_python_out=$(1) \
	$(PROTOS:proto/%=$(PB)/%)

.PHONY: proto
proto: $(DEV_READY)  ## generate the gRPC stubs (service/rpc/pb) from proto/ with the pinned generator
	@$(call generate,.)
	@find $(PB) -type d -not -name __pycache__ -exec sh -c 'test -e "$$1/__init__.py" || : > "$$1/__init__.py"' _ {} \;
	@echo "$(PB) is fresh"

# --- the rest ----------------------------------------------------------------------------------------------------------

.PHONY: clean
clean:  ## remove both environments and every cache (never data/, runs/ or exported/)
	rm -rf $(VENV) $(TRAIN) .venv-bench .venv-bench-onmt build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find service training tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
