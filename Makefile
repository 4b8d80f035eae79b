# `make run` and `make test` are all a fresh machine needs; each sets up what it uses.

PYTHON ?= python3
PORT ?= 5000
CONFIG ?= config/local.yaml
BIN := .venv/bin

PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

.PHONY: run test lint fix browser fuzz openapi docs demo bench eval lock clean
.DEFAULT_GOAL := run

# The environment of a user: pinned, without tools.
.venv/run: constraints.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("FoodLog needs Python 3.11 or newer: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@echo "Setting up .venv ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) setuptools
	@$(PIP) --no-build-isolation -e '.[aws,heic]'
	@touch $@

# What tests, checks and benchmarks need on top.
.venv/dev: .venv/run
	@echo "Adding what tests and checks need ..."
	@$(PIP) --no-build-isolation -e '.[aws,heic,lambda,testing,dev]'
	@touch $@

# A second opinion on DynamoDB for the tests; they do without it where there is no Node.js.
node_modules/.package-lock.json: package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund; \
	else echo "No npm: tests on dynalite are skipped. Install Node.js 20 or newer to run them."; fi

run: .venv/run
	@$(BIN)/foodlog serve --config $(CONFIG) --port $(PORT)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy foodlog plugins/foodlog_plugins bench
	$(BIN)/lint-imports --config setup.cfg

fix: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A browser for the tests of /docs, on a machine that is there for tests; elsewhere they say what
# they lack.
browser:
	@if [ -n "$$CI" ] && [ "$$(id -u)" = 0 ] && ! command -v chromedriver >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends chromium chromium-driver; fi

test: lint node_modules/.package-lock.json browser
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n 4 --dist loadgroup --cov --cov-report=
	$(BIN)/coverage report --fail-under=95 --format=total
	$(BIN)/coverage report --fail-under=100 --include='foodlog/services/accounts.py,foodlog/passwords.py,foodlog/tokens.py,foodlog/signing.py,foodlog/records.py,plugins/foodlog_plugins/*_storage/*'

# Ten times the requests of `make test`, and others each time.
fuzz: .venv/dev
	FOODLOG_FUZZ_CASES=20000 $(BIN)/python -m pytest -n 4 --timeout 1200 tests/api/test_contract_fuzz.py

openapi: .venv/dev
	mkdir -p build
	$(BIN)/foodlog openapi > build/openapi.yaml
	mv build/openapi.yaml foodlog/openapi.yaml

# The documentation as a site; a warning is an error.
docs: .venv/dev
	$(BIN)/python -m sphinx -W --keep-going -q docs site

demo: .venv/run
	$(BIN)/python -m foodlog.testing.demo

bench: .venv/dev
	$(BIN)/python -m bench

eval: .venv/dev
	$(BIN)/python -m bench.matching

# Pins every package of every extra, in an environment of its own; run it with Python 3.11, whose
# versions serve the later ones too.
lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install -qq --disable-pip-version-check --upgrade setuptools
	build/lock/bin/python -m pip install -qq --disable-pip-version-check --no-build-isolation \
	    -e '.[aws,heic,lambda,testing,dev]'
	echo "# Every package, exactly; made by \`make lock\`." > build/constraints.txt
	build/lock/bin/python -m pip freeze --all --exclude-editable --exclude pip \
	    | grep -vE '^foodlog|@' >> build/constraints.txt
	mv build/constraints.txt constraints.txt

clean:
	rm -rf .venv build site *.egg-info
