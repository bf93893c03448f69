# Needs Python 3.11 or newer and make; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

VERIFY := $(BIN)/qparity verify torch:cpu --level smoke --weights conformance/samples/dense.safetensors
PYTEST := $(BIN)/python -m pytest

# What is measured: the tests of reference/, but for slow ones that reach no other branch, and those
# of conformance/ that take some seconds, and those of the errors; `make coverage` measures all.
SLOW_ORACLES := arithmetic format_args formats imports mutants packing qparams quantize rounding
SLOW := $(SLOW_ORACLES:%=tests/reference/test_%_oracle.py)
QUICK := bits case case_file compare explain_case layouts parameters probes report shapes spec values
MEASURED := $(filter-out $(SLOW),$(wildcard tests/reference/test_*.py))
MEASURED += $(QUICK:%=tests/conformance/test_%.py) tests/test_state_dicts.py tests/test_refusals.py

# The environment of the caller must not reach into .venv.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
export PYTHONNOUSERSITE := 1
export PIP_USER := 0
# The pins hold for the build's own environment as well.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt

# (setuptools warns of every editable install.)
PIP_INSTALL := PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
VENV_MADE := $(VENV)/.made
USER_STAMP := $(VENV)/.user
DEV_STAMP := $(VENV)/.dev
PINS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help verify test check coverage lint docs bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

verify: $(USER_STAMP) ## judge the torch backend against the reference (two minutes, install included)
	$(VERIFY)

test: $(DEV_STAMP) ## run the tests
	$(PYTEST) -n 2

check: lint $(DEV_STAMP) ## lint, doctests, branches that tests reach: all of reference/
	$(PYTEST) -n 2 --quiet --doctest-modules --cov --cov-report= qparity $(MEASURED)
	$(BIN)/coverage report --include='conformance/*'
	$(BIN)/coverage report --include='reference/*' --fail-under=100

coverage: $(DEV_STAMP) ## the branches of reference/ and conformance/ that all tests reach
	$(PYTEST) -n 2 --quiet --doctest-modules --cov qparity tests

lint: $(DEV_STAMP) ## lint, format, types: under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2

docs: $(DEV_STAMP) ## build the study pages into build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

bench: $(DEV_STAMP) ## measure speed against the peers
	$(BIN)/python benchmarks/cpu.py

clean: ## remove .venv, builds and caches
	rm -rf $(VENV) build dist .qparity .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV_MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "qparity needs Python 3.11 or newer; $(PYTHON) is '$$($(PYTHON) --version 2>&1)'. Try: make PYTHON=python3.11" >&2; exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --upgrade pip
	@touch $@

$(USER_STAMP): $(VENV_MADE) $(PINS)
	$(PIP_INSTALL) --editable '.[torch,conformance]'
	@touch $@

$(DEV_STAMP): $(VENV_MADE) $(PINS)
	$(PIP_INSTALL) --editable '.[torch,triton,conformance,peers,plots,docs,dask,dev]'
	@touch $@ $(USER_STAMP)
