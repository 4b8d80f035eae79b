# `make run` and `make test` are all a fresh machine needs; each sets up what it uses.

PYTHON ?= python3
PORT ?= 5000
CONFIG ?= config/local.yaml
BIN := .venv/bin

.PHONY: run test lint fix demo bench clean
.DEFAULT_GOAL := run

# The environment of a user: pinned, without tools.
.venv/run: constraints.txt setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("FoodLog needs Python 3.11 or newer; make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[aws,heic]'
	touch $@

# What tests, checks and benchmarks need on top.
.venv/dev: .venv/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[aws,heic,testing,dev]'
	touch $@

run: .venv/run
	$(BIN)/foodlog serve --config $(CONFIG) --port $(PORT)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy foodlog plugins/foodlog_plugins bench
	$(BIN)/lint-imports --config setup.cfg

fix: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n 4 --dist loadgroup --cov --cov-report=
	$(BIN)/coverage report --fail-under=95 --format=total
	$(BIN)/coverage report --fail-under=100 --include='foodlog/services/accounts.py,foodlog/passwords.py,foodlog/tokens.py,foodlog/signing.py,foodlog/records.py,plugins/foodlog_plugins/*_storage/*'

demo: .venv/run
	$(BIN)/python -m foodlog.testing.demo

bench: .venv/dev
	$(BIN)/python -m bench

clean:
	rm -rf .venv build *.egg-info
