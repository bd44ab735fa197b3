# Two commands on a fresh machine: `make demo` and `make test`. Both install into .venv. The demo keeps its data in .demo,
# the tests their caches in this folder; `make clean` removes all of it. `make deb` writes a Debian package into dist/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCRIPTS := .ci/run deploy/compose/setup deploy/debian/build $(addprefix deploy/debian/,postinst prerm postrm) deploy/systemd/install
PYTEST_ARGS ?= -n 4 --dist worksteal

# Each of four test processes would compile every module anew if this were set.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-long bench check docs deb lock clean again

demo: $(VENV)/.run
	$(BIN)/envoy-logger demo --state-dir .demo $(DEMO_ARGS)

# CI plays the long tests too, at a seeded tenth.
test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS) $(if $(ENVOY_LOGGER_CI),--timeout 900,-m "not long")

test-long: $(VENV)/.test
	ENVOY_LOGGER_LONG=1 $(BIN)/python -m pytest $(PYTEST_ARGS) -m "long or sized" --timeout 5400

# What the recorder costs, into docs/performance.md; takes half an hour, and wants a quiet machine.
bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v shellcheck >/dev/null; then shellcheck -x $(SCRIPTS); \
	else echo "The shell scripts were not checked: shellcheck is not installed."; fi

docs: $(VENV)/.test
	$(BIN)/python -m tests.settings_documents
	$(BIN)/python -m tests.fields.documents
	$(BIN)/python -m tests.daemon.hours
	$(BIN)/python -m tests.web.documents
	$(BIN)/python -m tests.questions.documents
	$(BIN)/python -m grafana.build

# A package for this machine's Debian, with Debian's own Python; needs python3-venv.
deb:
	deploy/debian/build dist

lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra mqtt pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements.lock --extra mqtt --extra test --extra check pyproject.toml -o requirements-test.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements-test.lock --extra browser pyproject.toml -o requirements-browser.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header tests/mqtt/homeassistant.in -o tests/mqtt/homeassistant.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .demo .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './tests/grafana/node/*' -prune -exec rm -rf {} +

# A .venv that is half made (no pip), or whose Python is gone, is made anew; what is missing is said before.
WHOLE := $(shell $(BIN)/python -c 'import pip, sys; print("yes" if sys.prefix != sys.base_prefix else "")' 2>/dev/null)

$(VENV)/.made: $(if $(WHOLE),,again)
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "$(PYTHON) is older than Python 3.11, or lacks its module venv."; \
	    echo "Try: sudo apt-get install -y python3 python3-venv"; exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.made requirements.lock pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.test: $(VENV)/.made requirements-test.lock pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-test.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	touch $@ $(VENV)/.run
