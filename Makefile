# safetykit: everything a newcomer needs is `make demo` and `make test`.
# Needs python3 (3.10 to 3.13), make, bash and a network to the package index. Nothing is installed outside .venv,
# except Debian packages where the machine lacks them and the right to install them is there: python3-venv, and for
# `make demo-estop` and `make test` the emulator, the compilers and the prover of the firmware.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := safetykit firmware_bridge sim scenarios tests hw
# What builds and runs the firmware, and what else its tests need; PACKAGE or PACKAGE:COMMAND-THAT-SHOWS-IT.
FIRMWARE_PACKAGES := gcc:cc libc6-dev:/usr/include/stdio.h gcc-arm-none-eabi:arm-none-eabi-gcc \
  libnewlib-arm-none-eabi:/usr/lib/arm-none-eabi/include/stdint.h   qemu-system-arm:qemu-system-arm
TEST_PACKAGES := $(FIRMWARE_PACKAGES) frama-c-base:frama-c why3:why3 z3:z3 cvc4:cvc4 clang-19:clang-19 \
  llvm-19:llvm-cov-19 libclang-rt-19-dev:/usr/lib/llvm-19/lib/clang/19/lib
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

define APT
apt_install() {
  missing=""
  for entry in "$$@"; do
    shown="$${entry#*:}"
    if [[ "$$shown" == /* ]]; then [ -e "$$shown" ] || missing+=" $${entry%%:*}"
    else command -v "$$shown" >/dev/null || missing+=" $${entry%%:*}"; fi
  done
  [ -n "$$missing" ] || return 0
  as_root=""; [ "$$(id -u)" = 0 ] || as_root="sudo -n"
  echo "installing Debian packages:$$missing"
  if ! { $$as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
      $$as_root apt-get install -y -qq --no-install-recommends $$missing; } >$(VENV)/apt.log 2>&1; then
    tail -n 5 $(VENV)/apt.log >&2
    echo "could not install them; run as root: apt-get install$$missing" >&2; return 2
  fi
}
endef

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

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
	install dev,sim,ros,serial,gpio,perception
	touch $(VENV)/.demo $@

venv: $(VENV)/.dev ## create .venv with everything for development

demo: $(VENV)/.demo ## an autonomy goes wrong on a script; watch the guard contain it (under two minutes)
	@exec $(BIN)/safetykit demo $(ARGS)

$(VENV)/.estop: pyproject.toml | $(VENV)/bin/python
	@$(INSTALL)
	$(APT)
	install sim,serial
	apt_install $(FIRMWARE_PACKAGES)
	touch $@

demo-estop: $(VENV)/.estop firmware ## press the button, cut the cable, freeze the guard: the real firmware on an emulated board
	@exec $(BIN)/safetykit demo-estop $(ARGS)

firmware: | $(VENV)/bin/python ## build the emergency-stop firmware: emulated board, real board, library for tests
	@$(APT)
	apt_install $(FIRMWARE_PACKAGES)
	$(MAKE) -s -C hw/firmware

protocol: $(VENV)/.dev ## write the protocol's constants and tables from hw/protocol.yaml
	@$(BIN)/python hw/make_protocol.py

$(VENV)/.packages: Makefile | $(VENV)/bin/python
	@$(APT)
	apt_install $(TEST_PACKAGES)
	touch $@

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

test: $(VENV)/.packages firmware check coverage ## check, coverage, then the whole suite
	@exec $(BIN)/pytest tests

bench: $(VENV)/.dev firmware ## measure, print ratios against references of the same run, write docs/benchmarks.md
	@exec $(BIN)/python -m tests.bench $(ARGS)

mutation: $(VENV)/.dev ## break the core in one place at a time and see whether its tests notice (hours; ARGS="--sample 100")
	@exec $(BIN)/python -m tests.campaigns.mutation $(ARGS)

firmware-campaigns: $(VENV)/.dev $(VENV)/.packages firmware ## firmware: 10^7 steps against the model, all mutants, 10^8 noisy frames
	@$(BIN)/python -m tests.campaigns.firmware_differential --steps 10000000
	$(BIN)/python -m tests.campaigns.firmware_search
	$(BIN)/python -m tests.campaigns.firmware_mutation
	$(BIN)/python -m tests.campaigns.crc_weights
	$(BIN)/python -m tests.campaigns.line_noise

format: $(VENV)/.dev ## rewrite the code in the project's format
	@$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

clean: ## remove .venv, caches and out/
	@rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help venv demo demo-estop firmware protocol check coverage test bench mutation firmware-campaigns format clean
