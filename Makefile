# make results   regenerate every result of config.yaml (CONFIG=workflow/configs/x.yaml for another study)
# make test      run the tests      make lint   static checks      make bench   benchmarks
# Each makes .venv from requirements.lock first if it is missing or older than the lock.
PYTHON ?= python3
CORES  ?= all
CONFIG ?=
BIN    := .venv/bin

.PHONY: results test lint bench format lock clean-venv

results: .venv/installed
	$(BIN)/snakemake --cores $(CORES) --quiet rules $(if $(CONFIG),--configfile $(CONFIG))

test: .venv/installed
	$(BIN)/pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

bench: .venv/installed
	$(BIN)/python -m benchmarks

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'weightspace needs Python 3.11 or newer; say which with: make PYTHON=python3.11 ...' >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Resolve pyproject.toml afresh and write the pins to requirements.lock and envs/weightspace.yaml.
lock:
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet torch==2.13.0
	.venv-lock/bin/python -m pip install --quiet 'setuptools>=77' --editable '.[dev]'
	.venv-lock/bin/python envs/write_pins.py
	rm -rf .venv-lock
