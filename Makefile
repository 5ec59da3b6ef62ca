# Everything below works from a clean clone with only Python 3.11+ and make.
# The environment is built once, from the lock, and again when the lock changes.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.meridian-installed
STATE  ?= .state
LOCKS  := .ci
EXTRAS ?=
ALL_EXTRAS := alerts calendar
COMMA := ,
SELECT ?= not privileged
QUICK  := not privileged and not e2e and not hypothesis and not slow
HALF   := $(addprefix tests/,daemon journal process system)
PREFIX ?= $(HOME)/.local
INSTALLED := $(PREFIX)/share/meridian/venv

# Nothing of an index runs but what a lock names by its hash: no package's own build (--only-binary),
# no build backend that is newer (--no-build-isolation: pip's isolation fetches the newest).
# pip's own notes are no help to who reads them here; its errors are.
PIP  := -m pip install -qq --disable-pip-version-check --no-deps --only-binary :all: --no-build-isolation
LOCK := $(PIP) --require-hashes -r $(LOCKS)
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --custom-compile-command "make lock"

# The distribution was called meridian once. Left in place, both would own the same files.
FORMER := -m pip uninstall -qq --disable-pip-version-check --yes meridian

# Nobody else may write what is made here, whatever the umask: it is run, and on the PATH.
OURS := umask go-w &&

define need_python
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
  { echo "Meridian needs Python 3.11 or newer; say which with: make PYTHON=python3.12"; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
  { echo "Python's venv is missing. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
endef

.PHONY: help run test check format lint types unit quick coverage test-system bench lock dist deb install uninstall clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What pip puts aside is run, too: not in a $TMPDIR that su has kept, which is another user's.
$(STAMP): export TMPDIR = $(abspath $(VENV))/tmp
$(STAMP): .ci/requirements.lock pyproject.toml
	$(need_python)
	@echo "Setting up $(VENV) (once; about half a minute) ..."
	@$(OURS) mkdir -p $(VENV)/tmp
	@$(OURS) $(PYTHON) -m venv $(VENV)
	@$(OURS) $(BIN)/python $(LOCK)/requirements.lock
	@$(BIN)/python $(FORMER)
	@$(OURS) $(BIN)/python $(PIP) --editable .
	@$(OURS) touch $@

run: $(STAMP)  ## the daemon on crontabs/demo.crontab, until Ctrl-C
	@PATH="$(CURDIR)/$(BIN):$$PATH" exec $(BIN)/meridian run crontabs/demo.crontab --trust-owner --state $(STATE) --echo-output

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

# Two halves at once, of about the same weight; what the other has said stands behind the first.
quick: $(STAMP)  ## the quick tests: under a minute on 2 cores
	@begin=$$(date +%s); said=$$(mktemp); pytest="$(BIN)/pytest -q -p no:cacheprovider"; \
	$$pytest -m "$(QUICK)" $(HALF) >"$$said" 2>&1 & \
	$$pytest -m "$(QUICK)" $(filter-out $(HALF),$(patsubst %/,%,$(wildcard tests/*/))); one=$$?; \
	wait $$!; other=$$?; cat "$$said"; rm -f "$$said"; \
	echo "Took $$(($$(date +%s) - begin)) s. Left out: what waits for a real clock or needs root, properties"; \
	echo "that draw examples, and what is marked slow (make unit has them)."; exit $$((one | other))

coverage: $(STAMP)  ## the tests, and whether they run all lines
	@COVERAGE_CORE=sysmon $(BIN)/pytest -m "$(SELECT)" --cov --cov-report= --cov-report=json:coverage.json
	@$(BIN)/python tests/support/floors.py coverage.json

test-system: $(STAMP)  ## the tests that need root or a Debian package (.ci/run)
	@$(BIN)/pytest -m privileged

bench: $(STAMP)  ## figures: lateness, bursts, load time, memory, ratios
	@$(BIN)/python -m tests.bench

lock: $(STAMP)  ## work out the locks anew from pyproject.toml
	@$(BIN)/python $(LOCK)/tools.lock
	@$(BIN)/$(COMPILE) --group dev --all-extras -o .ci/requirements.lock pyproject.toml
	@$(BIN)/$(COMPILE) --no-annotate -c .ci/requirements.lock -o .ci/install.lock pyproject.toml
	@for extra in $(ALL_EXTRAS); do $(BIN)/$(COMPILE) --no-annotate -c .ci/requirements.lock --extra $$extra \
	  -o .ci/install-$$extra.lock pyproject.toml || exit 1; done
	@$(BIN)/$(COMPILE) --no-annotate -c .ci/requirements.lock --group build -o .ci/build.lock
	@$(BIN)/$(COMPILE) --no-annotate --group tools -o .ci/tools.lock

dist: $(STAMP)  ## dist/: a wheel and an sdist, the same bytes at each build
	@rm -f dist/meridian*
	@$(OURS) $(BIN)/python -m hatchling build -d dist

deb: dist  ## dist/: a package for Debian (needs debhelper and dh-python)
	@.ci/debian/make_deb dist/meridian_cron-*.tar.gz dist

install: export TMPDIR = $(INSTALLED)/tmp
install:  ## meridian for this user: ~/.local/bin/meridian
	$(need_python)
	@echo "Installing (about half a minute) ..."
	@$(OURS) rm -rf "$(INSTALLED)/tmp" && mkdir -p "$(INSTALLED)/tmp"
	@$(OURS) $(PYTHON) -m venv "$(INSTALLED)"
	@$(OURS) "$(INSTALLED)/bin/python" $(LOCK)/install.lock
	@for extra in $(subst $(COMMA), ,$(EXTRAS)); do [ -e $(LOCKS)/install-$$extra.lock ] || \
	  { echo "There is no extra $$extra; there are: $(ALL_EXTRAS)"; exit 1; }; \
	  $(OURS) "$(INSTALLED)/bin/python" $(LOCK)/install-$$extra.lock || exit 1; done
	@$(OURS) "$(INSTALLED)/bin/python" $(LOCK)/build.lock --target "$(INSTALLED)/tmp/backend"
	@"$(INSTALLED)/bin/python" $(FORMER)
	@$(OURS) PYTHONPATH="$(INSTALLED)/tmp/backend" "$(INSTALLED)/bin/python" $(PIP) .
	@rm -rf "$(INSTALLED)/tmp"
	@$(OURS) mkdir -p "$(PREFIX)/bin" && ln -sf "$(INSTALLED)/bin/meridian" "$(PREFIX)/bin/meridian"
	@$(OURS) mkdir -p "$(PREFIX)/share/man/man1"
	@$(OURS) "$(INSTALLED)/bin/python" .ci/debian/man_page.py "$$(date +%F)" >"$(PREFIX)/share/man/man1/meridian.1"
	@echo "Installed $(PREFIX)/bin/meridian"
	@case ":$$PATH:" in *":$(PREFIX)/bin:"*) exit;; esac; \
	case "$${SHELL##*/}" in zsh) file=.zshrc;; bash) file=.bashrc;; *) file=.profile;; esac; \
	echo "$(PREFIX)/bin is not on your PATH. Put it there, and open a new terminal:"; \
	echo "  echo 'export PATH=\"$(PREFIX)/bin:\$$PATH\"' >> ~/$$file"

uninstall:  ## take away what install made; crontabs and runs stay
	@if [ "$$(readlink "$(PREFIX)/bin/meridian")" = "$(INSTALLED)/bin/meridian" ]; then \
	rm -f "$(PREFIX)/bin/meridian" "$(PREFIX)/share/man/man1/meridian.1"; fi
	@if [ -d "$(INSTALLED)" ]; then rm -rf "$(INSTALLED)" && rmdir "$(dir $(INSTALLED))" 2>/dev/null; \
	echo "Uninstalled $(PREFIX)/bin/meridian; crontabs, runs and their output stay."; \
	else echo "Nothing is installed in $(PREFIX)"; fi

clean:  ## remove what the other targets made
	rm -rf $(VENV) $(STATE) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage coverage.json
