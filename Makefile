# Each command does its own set-up; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export PYTHONUNBUFFERED = 1

.PHONY: help setup up demo gmail test test-again test-fast soak fuzz bench check format lock docs clean

help:
	@sed -n 's/^## //p' Makefile

## make setup       the virtual environment and what it holds
setup: $(READY)

$(READY): requirements/dev.lock
	@echo "Setting up .venv (about a minute the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import sys; sys.exit("Python 3.11 or later is needed: make setup PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock \
		2>.venv/pip.log || { cat .venv/pip.log >&2; exit 1; }
	@touch $(READY)

## make up          the whole system on embedded parts, until Ctrl-C
up: $(READY)
	@$(BIN)/python -m devstack up

## make demo        the story of a lead, played and checked on a throw-away stack
demo: $(READY)
	@$(BIN)/python -m devstack demo

## make gmail       the Gmail emulator alone (ARGS="--mailbox bob@gmail.com"; ARGS=--help)
gmail: $(READY)
	@$(BIN)/python -m devstack gmail $(ARGS)

## make test        the whole test suite, servers and browser included
test: $(READY)
	@bash .ci/chromium
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not soak" $(ARGS)

## make test-again  only the tests that failed last time, one at a time
test-again: $(READY)
	@$(BIN)/python -m pytest --last-failed --last-failed-no-failures none -m "not soak"

## make test-fast   what needs no server
test-fast: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not servers and not soak" $(ARGS)

## make soak        the long forms: crash matrices, random sequences, fuzzing (SEED=n replays)
soak: $(READY)
	@SOAK=1 $(BIN)/python -m pytest -m soak --timeout 7200 -s $(ARGS)

## make fuzz        the mail parser on hostile bytes (SECONDS=3600 SEED=n)
fuzz: $(READY)
	@$(BIN)/python -m tests.mail.fuzz --seconds $(or $(SECONDS),3600) --seed $(or $(SEED),1)

## make bench       the budgets of the design, measured; writes bench/results.json
bench: $(READY)
	@$(BIN)/python -m bench $(ARGS)

## make check       format, lint, types, architecture
check: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy .

## make format      put the code into its format
format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only .

## make lock        resolve requirements/*.in anew into locks with hashes
lock:
	@$(PYTHON) -m venv .local/uv && .local/uv/bin/pip -q install uv
	@for name in runtime dev; do .local/uv/bin/uv pip compile --generate-hashes --universal --python-version 3.11 \
		--no-header -q requirements/$$name.in -o requirements/$$name.lock; done

## make clean       remove the virtual environment and all state
clean:
	@rm -rf .venv .local
