# `make demo` and `make test` need only make and Python >= 3.11; everything else lands in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
ARGS ?=
BENCHMARKS ?= $(sort $(wildcard tests/benchmarks/bench_*.py))

.DEFAULT_GOAL := help
.PHONY: help demo test lint types arch wheel check bench soak format clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

# A crash or a failed download leaves no stamp: the next make goes on from there.
$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: there is no $(PYTHON)"; \
	  echo "mend: install Python 3.11 or later, or name one: make PYTHON=python3.12 ..."; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Python 3.11 or later is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1)"; \
	  echo "mend: name a later one: make PYTHON=python3.12 ..."; exit 1; } >&2
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## a month of posts, an outage, a backfill: the whole story in a minute
	$(BIN)/tradex demo $(ARGS)

test: $(STAMP) ## all tests but the soak, on two cores (ARGS='-k merkle' for some)
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

lint: $(STAMP) ## format and lint, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

arch: $(STAMP) ## who may import whom
	$(BIN)/lint-imports

wheel: $(STAMP) ## build the wheel and use it from another folder
	PYTHON=$(BIN)/python tests/wheel_smoke.sh

check: $(STAMP) ## everything that CI holds
	@for part in lint types arch test wheel; do \
	  echo "== $$part"; $(MAKE) --no-print-directory $$part || exit 1; \
	done

bench: $(STAMP) ## measure against the goals, side by side (tests/benchmarks/README.md)
	@test -n "$(BENCHMARKS)" || { echo "error: there is no tests/benchmarks/bench_*.py" >&2; exit 1; }
	@for file in $(BENCHMARKS); do echo "== $$file"; $(BIN)/python $$file $(ARGS) || exit 1; done

soak: $(STAMP) ## the long tests: kill and resume, many times
	$(BIN)/python -m pytest -m soak $(ARGS)

format: $(STAMP) ## rewrite the code as lint wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what can be made again, .venv included
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
