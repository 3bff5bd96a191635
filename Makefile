# The two commands a newcomer needs: `make demo` and `make test`. Both share one environment, .venv.
SHELL := /bin/bash
# The first of these that is 3.11 or newer; `make PYTHON=...` overrides.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,\
  $(shell $(name) -c 'import sys; print("$(name)") if sys.version_info >= (3, 11) else None' 2>/dev/null)) python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCALE := .venv-scale
SCALE_STAMP := $(SCALE)/.installed
# Two workers, one thread each: torch and BLAS would otherwise start a pool per worker.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2
export UV_PYTHON_DOWNLOADS := never
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-slow check format lock readme audit clean
help:
	@echo "make demo       shipped predictors on the sample recordings: a table and a report"
	@echo "make test       the tests, under 12 minutes on 2 cores"
	@echo "make test-slow  make demo, kill -9, real data where present, Ray, larger runs: under 45 minutes"
	@echo "make check      ruff, mypy, layering"
	@echo "make format     let ruff rewrite the sources"
	@echo "make lock       renew requirements.lock and requirements-scale.lock from pyproject.toml"
	@echo "make readme     renew the generated tables of the READMEs"
	@echo "make audit      known vulnerabilities of the locked packages"

define SAY
	@echo "$(1)"
endef

$(STAMP): requirements.lock pyproject.toml .ci/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, $$($(PYTHON) --version 2>&1) was found. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "Setting up .venv once: about 2.5 GB to download, 5.5 GB on disk, a few minutes. Nothing outside this folder changes"
	@echo "except the package cache of uv (its own folder below your home)."
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { \
	  echo "Python could not make a virtual environment (on Debian and Ubuntu: apt install python3-venv)."; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

# An environment of its own: the other one has nothing that `make test` does not need.
$(SCALE_STAMP): $(STAMP) requirements-scale.lock
	@echo "Setting up .venv-scale once, the same with Ray: 80 MB more to download, 0.3 GB on disk (5.5 GB where uv cannot"
	@echo "link to its cache), a minute. Ray keeps its logs in the temporary folder and a token of its own in ~/.ray."
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(SCALE)
	@$(BIN)/uv pip install --quiet --python $(SCALE)/bin/python --require-hashes --no-deps -r requirements-scale.lock
	@$(BIN)/uv pip install --quiet --python $(SCALE)/bin/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	$(call SAY,make demo: the shipped predictors on the sample files of this repository. Under a minute and 5 MB below runs/demo.)
	@$(BIN)/python -m apps demo --out runs/demo

test: $(STAMP)
	$(call SAY,make test: the tests that need neither real data nor a GPU. Under 12 minutes on 2 cores and 1 GB of temporary files.)
	@$(PYTEST) -m "not slow"

test-slow: demo $(SCALE_STAMP)
	$(call SAY,make test-slow: kill -9 and real data where present and Ray and larger runs. Under 45 minutes on 2 cores and 3 GB of temporary files.)
	@$(PYTEST) -m slow
	@OMP_NUM_THREADS=1 $(SCALE)/bin/python -m pytest -m slow tests/scale

check: $(STAMP)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: $(STAMP)
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

LOCK := $(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml
lock: $(STAMP)
	@$(LOCK) --extra dev -o requirements.lock > /dev/null
	@$(LOCK) --extra dev --extra scale -c requirements.lock -o requirements-scale.lock > /dev/null

readme: $(STAMP)
	@$(BIN)/python -m apps.readme

audit: $(STAMP)
	@$(BIN)/pip-audit --require-hashes --disable-pip -r requirements-scale.lock

clean:
	rm -rf $(VENV) $(SCALE) runs .ruff_cache .mypy_cache .pytest_cache
