PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP) ## install, then watch an agent being governed
	$(BIN)/python examples/quickstart.py

test: $(STAMP) ## install, then run the tests
	$(BIN)/python -m pytest -n auto

test-integrations: $(STAMP) ## prove the adapters on the real frameworks (ONLY=langchain for one)
	$(BIN)/python tests/integrations/run.py --only '$(ONLY)'

check: $(STAMP) ## lint, types, import directions, the client core on old Pythons
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/python -m pytest -q tests/contract/test_style.py
	$(BIN)/vermin --quiet --no-tips --violations --target=3.7- --backport typing \
	  $$($(BIN)/python tests/contract/client_core.py)

bench: $(STAMP) ## measure, as ratios within one run
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

serve: $(STAMP) ## serve dashclaw.db on http://127.0.0.1:3000
	$(BIN)/dashclaw serve --db dashclaw.db

docs: $(STAMP) ## write the pages that are made from the code
	$(BIN)/python tests/contract/cli_page.py
	$(BIN)/python tests/contract/reference_pages.py

screenshots: $(STAMP) ## take the pictures of the dashboard anew
	$(BIN)/python -m tests.browser.photograph

clean: ## remove what was installed and built
	rm -rf $(VENV) .venv-integrations build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help demo test test-integrations check bench serve docs screenshots clean
