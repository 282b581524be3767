# What a newcomer types: `make demo`, `make test`. Everything else is for those who change the code.
# Needs Python >= 3.11 and make; sets up a virtual environment in .venv.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
PEERS := .venv-peers
DBOS := 3.4.0
ROUNDS ?= 3
SEEDS ?= 10000
ATTEMPTS ?= 20000
JOBS ?= 2
MINUTES ?= 8
BIN := $(VENV)/bin

.PHONY: demo test test-pictures long longest leaks simulate planted soak check bench bench-smoke bench-peers bench-load rules zones clean

demo: $(VENV)/.examples
	$(BIN)/python examples/demo.py

test: $(VENV)/.dev
	$(BIN)/pytest -n 3 --dist worksteal -q

# Needs Node.js with npm, which fetches Mermaid into build/, and Graphviz.
test-pictures: $(VENV)/.dev
	$(BIN)/pytest -q tests/model/check_pictures.py

long: $(VENV)/.dev
	$(BIN)/pytest -n 5 --dist worksteal -q --durations=12 -m 'long and not longest'

longest: $(VENV)/.dev
	$(BIN)/pytest -n 2 --dist worksteal -q -m long

leaks: $(VENV)/.dev
	LEAKS_ATTEMPTS=$(ATTEMPTS) $(BIN)/pytest -q tests/leaks -m 'long or not long'

simulate: $(VENV)/.dev
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs $(JOBS)

planted: $(VENV)/.dev
	$(BIN)/python -m tests.simulation.planted --jobs $(JOBS)

# Real processes, killed and stopped for so many minutes, and judged from outside.
soak: $(VENV)/.dev
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench

bench-smoke: $(VENV)/.dev
	$(BIN)/python -m tests.bench --smoke

# eventflow and DBOS on the same work, turn by turn. DBOS has an environment of its own.
bench-peers: $(VENV)/.dev $(PEERS)/.dbos-$(DBOS)
	$(BIN)/python -m tests.bench.peers --python $(PEERS)/bin/python --rounds $(ROUNDS)

# 2,000 events a second for so many minutes, and what comes while the scheduler is down.
bench-load: $(VENV)/.dev
	$(BIN)/python -m tests.bench.load --minutes $(MINUTES)

rules: $(VENV)/.dev
	$(BIN)/python -m tests.rules
	$(BIN)/python -m tests.faultrows

zones: $(VENV)/.dev
	$(BIN)/python tests/core/zones.py

clean:
	rm -rf $(VENV) $(PEERS) build/pictures .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "eventflow needs Python 3.11 or newer; none was found" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,examples]'
	@touch $@

$(VENV)/.examples: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[examples]'
	@touch $@

$(PEERS)/.dbos-$(DBOS):
	@rm -rf $(PEERS)
	@$(PYTHON) -m venv $(PEERS) && \
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check 'dbos==$(DBOS)' || { \
		rm -rf $(PEERS); \
		echo "bench-peers needs DBOS $(DBOS) from a package index, in an environment of its own:" \
			"$(PEERS) could not be made; why is said above" >&2; exit 2; }
	@touch $@
