# `make demo` and `make test` need only make and Python >= 3.11; everything else lands in .venv, in the versions of
# requirements/constraints.txt. `make newest` and `make oldest` try the two ends of what pyproject.toml allows.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROGRAM := $(VENV)/.program
STAMP := $(VENV)/.installed
WORKERS ?= 2
NEWEST := .venv-newest
OLDEST := .venv-oldest
ARGS ?=
BENCHMARKS ?= $(sort $(wildcard tests/benchmarks/bench_*.py))

.DEFAULT_GOAL := help
.PHONY: help demo test lint types arch wheel check docs newest oldest constraints bench soak stress flips fuzz golden format clean

# What a release of a library can change, in some minutes: definitions and their gate, how posts are read, what windows
# compute and what lands in the lake, the golden ledgers, the workspace of an older release, stories that compute (what
# those of rules and of the upgrade do beside these, they do in our own code).
STORIES := as_of engines logic_texts old_workspace older_engine outage postgresql quarantine reproduce signed_approvals tenant
CHOICE := tests/datasets tests/sources tests/ledger/test_application.py tests/ledger/test_segments.py \
          tests/driving/test_window.py tests/cli/test_answers.py $(STORIES:%=tests/stories/test_%.py) \
          tests/test_requirements.py

# pip and the builds that it starts hear of pins by the environment; a relative path, since a space would part it.
pinned = PIP_CONSTRAINT=requirements/$(1).txt PIP_BUILD_CONSTRAINT=requirements/$(1).txt
unpinned = env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT
# A test that stands still for ten minutes is told by its stacks, and the others go on (tests/kit/still.py); this is for
# what keeps even that from looking, and counts the time in which the machine slept, too.
pytest = -m pytest -n $(WORKERS) --dist worksteal -o faulthandler_timeout=1800 -o faulthandler_exit_on_timeout=true
# A process that asks a DuckDB thousands of questions has glibc look through ever longer lists of small pieces that are
# free; with room for more of them in reach a question takes as long as the first one did (a third less after a hundred).
malloc = GLIBC_TUNABLES=glibc.malloc.tcache_count=1000
pip = -m pip install --quiet --disable-pip-version-check --editable
install = $(pip) '.[dev,postgres,s3,dask,x,dagster]'

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

# A crash or a failed download leaves no stamp: the next make goes on from there. The demo needs the program alone; tests
# need a gigabyte more, with every server and every extra.
$(PROGRAM): pyproject.toml requirements/constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: there is no $(PYTHON)"; \
	  echo "mend: install Python 3.11 or later, or name one: make PYTHON=python3.12 ..."; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Python 3.11 or later is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1)"; \
	  echo "mend: name a later one: make PYTHON=python3.12 ..."; exit 1; } >&2
	$(PYTHON) -m venv $(VENV)
	$(call pinned,constraints) $(BIN)/python $(pip) .
	@touch $@

$(STAMP): $(PROGRAM)
	$(call pinned,constraints) $(BIN)/python $(install)
	@$(BIN)/python requirements/pins.py versions
	@touch $@

demo: $(PROGRAM) ## a month of posts, an outage, a backfill: the whole story in a minute
	$(BIN)/tradex demo $(ARGS)

test: $(STAMP) ## all tests but the soak, on two cores (ARGS='-k merkle' for some)
	$(malloc) TRADEX_TEST_ENVIRONMENT=constraints $(BIN)/python $(pytest) $(ARGS)

lint: $(STAMP) ## format and lint, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

arch: $(STAMP) ## who may import whom
	$(BIN)/lint-imports

wheel: $(STAMP) ## build the wheel and use it from another folder
	$(call pinned,constraints) PYTHON=$(BIN)/python tests/wheel_smoke.sh

check: $(STAMP) ## everything that CI holds
	@for part in lint types arch test wheel; do \
	  echo "== $$part"; $(MAKE) --no-print-directory $$part || exit 1; \
	done

docs: $(STAMP) ## the site, in build/site: pages, the tutorial and the tasks as they are played, the reference
	$(BIN)/python docs/site/build.py build/site

# Nothing of an earlier environment is used again: what was the newest then says nothing of today.
newest: ## the newest that pyproject.toml allows, in an environment of its own: a choice of tests, the demo
	rm -rf $(NEWEST)
	$(PYTHON) -m venv $(NEWEST)
	$(unpinned) $(NEWEST)/bin/python $(install)
	@$(call try,$(NEWEST),newest)

oldest: ## the lower bounds of pyproject.toml, likewise
	rm -rf $(OLDEST)
	$(PYTHON) -m venv $(OLDEST)
	$(call pinned,oldest) $(OLDEST)/bin/python $(install)
	@$(call try,$(OLDEST),oldest)

# An environment (folder, name) says what it holds and runs the choice; the demo goes first, so that pytest's last
# line is the last of all.
define try
echo "== $(2)"; set -e; $(1)/bin/python requirements/pins.py versions; \
room=$$(mktemp -d); trap 'rm -rf "$$room"' EXIT; \
$(1)/bin/tradex demo --dir "$$room/demo" >"$$room/said" 2>&1 </dev/null || { cat "$$room/said"; exit 1; }; \
echo "the demo runs"; \
$(malloc) TRADEX_TEST_ENVIRONMENT=$(2) $(1)/bin/python $(pytest) $(ARGS) $(CHOICE)
endef

constraints: ## make requirements/*.txt anew: today's newest, and the lower bounds
	$(unpinned) $(PYTHON) requirements/pins.py renew

bench: $(STAMP) ## measure against the goals, side by side (tests/benchmarks/README.md)
	@test -n "$(BENCHMARKS)" || { echo "error: there is no tests/benchmarks/bench_*.py" >&2; exit 1; }
	@for file in $(BENCHMARKS); do echo "== $$file"; $(BIN)/python $$file $(ARGS) || exit 1; done

soak: $(STAMP) ## the long tests: kill and resume, many times
	$(BIN)/python -m pytest -m soak $(ARGS)

# Output goes to the terminal as it comes (-s): an hour is long, and what befell the calls is part of the result.
stress: $(STAMP) ## everybody at once while processes, clocks and the disk fail, for TRADEX_STRESS_MINUTES (60)
	$(BIN)/python -m pytest -m soak -s -q tests/crash/test_stress.py $(ARGS)

flips: $(STAMP) ## flipped bits, 1,000 in ledger and lake, 300 in each cache: none may give another answer
	$(BIN)/python -m pytest -m soak $(ARGS) tests/attacks/test_flipped_bits.py tests/attacks/test_verified_files.py \
	  tests/attacks/test_caches.py

fuzz: $(STAMP) ## calls, queries, definitions, settings, posts that nobody would make, for TRADEX_FUZZ_SECONDS (an hour)
	$(BIN)/python -m pytest -m "soak and fuzz" $(ARGS)

golden: $(STAMP) ## after a new event: freeze its contract, pack worlds that hold it beside those that are there
	$(BIN)/python -m tests.golden.worlds

format: $(STAMP) ## rewrite the code as lint wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what can be made again, the environments included
	rm -rf $(VENV) $(NEWEST) $(OLDEST) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
