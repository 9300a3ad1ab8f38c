# make results   regenerate every result of config.yaml (CONFIG=workflow/configs/x.yaml for another study)
# make test      run the tests      make lint   static checks      make bench   benchmarks
# Each makes .venv first if it is missing or older than the lock: from the files whose hashes
# requirements.lock states, and from no others.
PYTHON ?= python3
CORES  ?= all
CONFIG ?=
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
LOCKED := $(PIP) install --require-hashes --no-deps --no-build-isolation --requirement
# The lines of one package in the lock.
pin     = sed -n '/^$(1)==/,/[^\\]$$/p' requirements.lock

.PHONY: results test lint bench format lock

results: .venv/installed
	@$(BIN)/python -m weightspace.config.files config.yaml $(CONFIG)
	$(BIN)/snakemake --cores $(CORES) --quiet rules $(if $(CONFIG),--configfile $(CONFIG))

# Two processes of one thread each: files of tests go round, and their fixtures are made once.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

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

.venv/installed: requirements.lock envs/cuda.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'weightspace needs Python 3.11 or newer; say which with: make PYTHON=python3.11 ...' >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@# What comes as source is built by the pinned setuptools.
	$(call pin,setuptools) >.venv/one.lock
	$(LOCKED) .venv/one.lock
	@# There are several builds of torch: take the one that pip finds here, if the lock allows it.
	$(call pin,torch) >.venv/one.lock
	$(PIP) download --no-deps --dest .venv/torch $$(sed 's/ .*//; q' .venv/one.lock)
	$(LOCKED) .venv/one.lock --no-index --find-links .venv/torch
	rm -r .venv/torch .venv/one.lock
	$(LOCKED) requirements.lock
	@# PyPI's torch for Linux lacks its CUDA libraries now; other builds need none.
	$(PIP) check >/dev/null || $(LOCKED) envs/cuda.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(PIP) check
	touch $@

# Resolve pyproject.toml and write the pins to requirements.lock and envs/. They stay where pyproject.toml
# allows it; UPGRADE=--upgrade takes the newest. Then: .venv/bin/python envs/write_licences.py
lock:
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet --require-hashes --no-deps --requirement envs/uv.lock
	.venv-lock/bin/python envs/write_pins.py $(UPGRADE)
	rm -rf .venv-lock
