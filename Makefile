# Needs Python 3.11 or newer (on Debian with python3-venv) and make; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COVERAGE ?=
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check lint format types contracts coverage attack fuzz lock audit bench docs clean

help: ## list what make can do
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

run: $(VENV)/.run ## install and start simulator, echo service and gateway (Ctrl-C ends it)
	@$(BIN)/gateway dev

test: $(VENV)/.dev ## install and run all tests (COVERAGE=1 measures branch coverage)
ifeq ($(COVERAGE),)
	@$(BIN)/pytest $(PYTEST_ARGS)
else
	@rm -f .coverage .coverage.*
	@COVERAGE_PROCESS_START=pyproject.toml $(BIN)/pytest --cov --cov-branch --cov-report= $(PYTEST_ARGS)
endif

check: ## what the pipeline runs: format, lint, types, import contracts, tests, coverage
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test COVERAGE=1
	@$(MAKE) --no-print-directory coverage

lint: $(VENV)/.dev ## format check, ruff, mypy strict, import contracts
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 8

format: $(VENV)/.dev ## format the code and sort imports
	@$(BIN)/ruff check --fix --select I --quiet . ; $(BIN)/ruff format .

coverage: $(VENV)/.dev ## hold the floors: 95 % of branches in the pure core and in sessions
	@$(BIN)/coverage report --fail-under=90 --skip-covered
	@$(BIN)/python .ci/branches.py 95 "pure core" $(CORE)
	@$(BIN)/python .ci/branches.py 95 "sessions" 'gateway/sessions/*'

CORE := gateway/errors.py 'gateway/settings/*' gateway/target.py gateway/headers.py gateway/survey.py gateway/host.py \
	gateway/clients.py gateway/admission.py gateway/recollection.py gateway/routing.py gateway/identity.py gateway/access.py \
	gateway/platforms/crypto.py gateway/endpoints/apps.py gateway/proxy/head.py

attack: $(VENV)/.dev ## run the attack suite, write docs/attack-report.md (QUICK=1: the rows alone, printed; FAMILY=T: one family)
	@$(BIN)/python -m tests.attack $(if $(QUICK),--quick) $(foreach one,$(FAMILY),--family $(one))

fuzz: $(VENV)/.dev $(VENV)/.fuzz ## planted faults, then all fuzzers; writes docs/attack-report.md (TIME=30m in total; ONLY=heads: one, printed)
	@$(BIN)/python -m tests.attack.fuzz --time $(or $(TIME),30m) $(if $(ONLY),--only $(ONLY))

lock: $(VENV)/.supply ## pin what the image installs, with hashes (UPGRADE=1: at the newest versions)
	@$(BIN)/uv pip compile $(LOCK) --output-file requirements.lock pyproject.toml
	@$(BIN)/python .ci/build_requirements.py | $(BIN)/uv pip compile $(LOCK) --output-file requirements-build.lock -

LOCK := --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

audit: $(VENV)/.dev $(VENV)/.supply ## ruff's security rules, each exception with its reason; known flaws in what is pinned
	@$(BIN)/python .ci/audit.py

bench: $(VENV)/.dev ## measure, write docs/performance.md (QUICK=1: little, printed; ONLY=sessions: logins, look-ups, revocations)
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

docs: $(VENV)/.run ## write docs/gateway.schema.json and docs/settings.md anew
	@$(BIN)/python -m gateway.settings.schema > docs/gateway.schema.json
	@$(BIN)/python -m gateway.settings.reference > docs/settings.md

clean: ## remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* build *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with make PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.run | $(VENV)/bin/python
	@echo "installing the development tools …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --group dev
	@touch $@

$(VENV)/.fuzz: pyproject.toml | $(VENV)/bin/python
	@echo "installing the fuzzer …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --group fuzz
	@touch $@

$(VENV)/.supply: pyproject.toml | $(VENV)/bin/python
	@echo "installing the tools of the supply chain …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --group supply
	@touch $@
