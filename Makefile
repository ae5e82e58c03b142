# safetykit: everything a newcomer needs is `make demo` and `make test`.
# Needs python3 (3.10 to 3.13), make, bash and a network to the package index. Nothing is installed outside .venv,
# except Debian's python3-venv where the machine lacks it and the right to install it is there.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := safetykit firmware_bridge sim scenarios tests
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Prints one line that counts packages while pip works; the full record is in .venv/install.log.
define PROGRESS
BEGIN { tty = ENVIRON["PROGRESS_TTY"] } \
/^ *(Collecting|Processing) / { n++; name = $$2; sub(/[<>=!~;\[(].*/, "", name); \
  if (tty) printf "\r  %3d packages  %-40.40s", n, name; else if (n % 25 == 0) print "  " n " packages"; fflush() } \
/^Installing collected/ { if (tty) printf "\r  %-60s", n " packages found, unpacking"; \
  else print "  " n " packages found, unpacking"; fflush() } \
END { if (tty) printf "\r%-64s\r", ""; print "  installed" }
endef
export PROGRESS

define INSTALL
install() {
  if [ -t 1 ]; then export PROGRESS_TTY=1; fi
  echo "installing $$1 into $(VENV) (first time: about a minute)"
  if ! $(BIN)/pip install --progress-bar off -e ".[$$1]" 2>&1 | tee $(VENV)/install.log | awk "$$PROGRESS"; then
    tail -n 15 $(VENV)/install.log | grep -v '^Looking in' >&2; return 1
  fi
}
endef

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || {
	  echo "needs Python 3.10 to 3.13; say which with: make PYTHON=python3.11 ..." >&2; exit 2; }
	if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then
	  as_root=""; [ "$$(id -u)" = 0 ] || as_root="sudo -n"
	  package="python3-venv"
	  echo "python3 has no venv module here; installing $$package"
	  if ! { $$as_root apt-get update -qq && $$as_root apt-get install -y -qq $$package; } >/dev/null 2>&1; then
	    echo "could not install it; run as root: apt-get install $$package" >&2; exit 2
	  fi
	fi
	$(PYTHON) -m venv --clear $(VENV)

# What the demo needs. Where the ROS 2 wheels do not install, the demo uses shared memory and says so.
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@$(INSTALL)
	install sim,ros || { echo "without ROS 2:"; install sim; }
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@$(INSTALL)
	install dev,sim,ros,serial,perception
	touch $(VENV)/.demo $@

venv: $(VENV)/.dev ## create .venv with everything for development

demo: $(VENV)/.demo ## an autonomy goes wrong on a script; watch the guard contain it (under two minutes)
	@exec $(BIN)/safetykit demo $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import contracts, style
	@echo "== ruff format"; $(BIN)/ruff format --check $(SOURCES)
	echo "== ruff check"; $(BIN)/ruff check $(SOURCES)
	echo "== mypy"; $(BIN)/mypy
	echo "== import contracts"; $(BIN)/lint-imports --no-cache
	echo "== style"; $(BIN)/pytest -q tests/test_style.py

coverage: $(VENV)/.dev ## branch coverage of the interpreted core (100 % or red)
	@mkdir -p out
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest -q -m core tests
	$(BIN)/coverage report

test: check coverage ## check, coverage, then the whole suite
	@exec $(BIN)/pytest tests

bench: $(VENV)/.dev ## measure, print ratios against references of the same run, write docs/benchmarks.md
	@exec $(BIN)/python -m tests.bench $(ARGS)

mutation: $(VENV)/.dev ## break the core in one place at a time and see whether its tests notice (hours; ARGS="--sample 100")
	@exec $(BIN)/python -m tests.campaigns.mutation $(ARGS)

format: $(VENV)/.dev ## rewrite the code in the project's format
	@$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

clean: ## remove .venv, caches and out/
	@rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help venv demo check coverage test bench mutation format clean
