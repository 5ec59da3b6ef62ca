# Everything below works from a clean clone with only Python 3.11+ and make.
# The environment is built once, from the lock, and again when the lock changes.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.meridian-installed
STATE  ?= .state
SELECT ?= not privileged
PREFIX ?= $(HOME)/.local
INSTALLED := $(PREFIX)/share/meridian/venv

define need_python
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "Meridian needs Python 3.11 or newer; say which with: make PYTHON=python3.12"; exit 1; }
endef

.PHONY: help run test check format lint types unit test-system bench lock install clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): .ci/requirements.lock pyproject.toml
	$(need_python)
	@echo "Setting up $(VENV) (once; about half a minute) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .ci/requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP)  ## the daemon on crontabs/demo.crontab, in the foreground; Ctrl-C ends it
	@PATH="$(CURDIR)/$(BIN):$$PATH" exec $(BIN)/meridian run crontabs/demo.crontab --state $(STATE)

test: format lint types unit  ## format check, lint, strict types and tests

format: $(STAMP)  ## only the format check
	@$(BIN)/ruff format --check .

lint: $(STAMP)  ## only the lint
	@$(BIN)/ruff check .

types: $(STAMP)  ## only the strict types
	@$(BIN)/mypy

unit: $(STAMP)  ## only the tests
	@$(BIN)/pytest -m "$(SELECT)"
	@echo "Left out: the tests that need root or a Debian package (make test-system)."

test-system: $(STAMP)  ## the tests that need root or a Debian package, as .ci/run runs them
	@$(BIN)/pytest -m privileged

bench: $(STAMP)  ## figures: lateness, bursts, load time, memory; ratios side by side
	@$(BIN)/python -m tests.bench

lock: $(STAMP)  ## work out the lock anew from pyproject.toml (the only target that needs uv)
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --group dev --custom-compile-command "make lock" -o .ci/requirements.lock pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  -c .ci/requirements.lock --custom-compile-command "make lock" -o .ci/install.lock pyproject.toml

install:  ## meridian for this user, in an environment of its own, linked from ~/.local/bin
	$(need_python)
	@$(PYTHON) -m venv $(INSTALLED) || { echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(INSTALLED)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .ci/install.lock
	@$(INSTALLED)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps .
	@mkdir -p $(PREFIX)/bin && ln -sf $(INSTALLED)/bin/meridian $(PREFIX)/bin/meridian
	@echo "Installed $(PREFIX)/bin/meridian"

clean:  ## remove what the other targets made
	rm -rf $(VENV) $(STATE) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
