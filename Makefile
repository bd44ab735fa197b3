# Two commands on a fresh machine: `make demo` and `make test`. Both install into .venv, nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?= -n 4 --dist worksteal

.PHONY: demo test test-tenth test-long check docs lock clean

demo: $(VENV)/.run
	$(BIN)/envoy-logger demo $(DEMO_ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not long"

test-tenth: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m long --timeout 900

test-long: $(VENV)/.test
	ENVOY_LOGGER_LONG=1 $(BIN)/python -m pytest $(PYTEST_ARGS) -m long --timeout 5400

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.test
	$(BIN)/python -m tests.fields.documents
	$(BIN)/python -m tests.daemon.hours

lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements.lock --extra discovery pyproject.toml -o requirements-discovery.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements.lock --extra discovery --extra test --extra check pyproject.toml -o requirements-test.lock

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements.lock pyproject.toml
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.test: $(VENV)/bin/python requirements-test.lock pyproject.toml
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-test.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	touch $@ $(VENV)/.run
