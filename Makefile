# Everything a newcomer types. `make run` and `make test` set up what they need: see deploy/set-up.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
WORKERS ?= 2
PYTEST_ARGS ?=
BENCH_ARGS ?=

# A virtual environment whose interpreter is gone (the system's Python was upgraded) is made anew.
ifeq ($(shell $(BIN)/python -c 'print(1)' 2>/dev/null),)
$(shell rm -f $(STAMP))
endif

$(STAMP): pyproject.toml requirements.lock deploy/set-up
	deploy/set-up $(VENV)
	touch $@

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMP) ## Set up: virtual environment, locked dependencies, RabbitMQ if it can be had
	@$(BIN)/python -m services.embedded.provision --optional

.PHONY: run
run: install ## Start the service with a PostgreSQL and a RabbitMQ of its own
	@exec $(BIN)/twinlog serve

.PHONY: test
test: $(STAMP) ## Run the whole test-suite; it starts its own servers
	@$(BIN)/python -m services.embedded.provision
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --forbid-skips $(PYTEST_ARGS)

.PHONY: check
check: $(STAMP) ## Lint, check formatting, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: demo
demo: install ## Play real weather through AMQP, count what comes out, and let access end
	@exec $(BIN)/twinlog demo

.PHONY: bench
bench: install ## Measure Twinlog against the bare libraries
	$(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

.PHONY: bench-search-million
bench-search-million: install ## Measure search among 1 000 000 things (half an hour, 20 GB)
	$(BIN)/python -m tests.benchmarks --only search --things 1000000 --rounds 1 --json figures-million.json $(BENCH_ARGS)

.PHONY: soak
soak: install ## Kill and restart everything under load, for long (TWINLOG_SOAK_ROUNDS, TWINLOG_FAULTS_SEED)
	TWINLOG_SOAK_STOP_SECONDS=$${TWINLOG_SOAK_STOP_SECONDS:-10} TWINLOG_SOAK_RECOVERY_SECONDS=$${TWINLOG_SOAK_RECOVERY_SECONDS:-30} \
	$(BIN)/python -m pytest -m soak --timeout=0 -s --show-capture=stdout --forbid-skips $(PYTEST_ARGS)

.PHONY: lock
lock: ## Resolve the dependencies anew into requirements.lock (needs uv)
	deploy/lock

.PHONY: clean
clean: ## Remove what set-up, tests and tools made; the data folder stays
	rm -rf $(VENV) build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: purge
purge: $(STAMP) ## Remove the data folder, too: every recorded event is lost
	$(BIN)/python -m services.embedded.purge
	$(MAKE) clean

.PHONY: test-postgres
test-postgres: $(STAMP) ## Run what touches the database on another PostgreSQL: make test-postgres POSTGRES=/usr/lib/postgresql/15/bin
	TWINLOG_TEST_POSTGRES=$(POSTGRES) $(BIN)/python -m pytest -n $(WORKERS) tests/contract tests/integration/eventstore tests/integration/projections tests/integration/commanding --forbid-skips $(PYTEST_ARGS)
