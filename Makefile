# make demo: set up, build an index from drawn figures, ask it both ways, measure it, leave a page to look at.
# make test: set up with the development tools and run every check.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check install clean

demo: .venv/installed
	$(BIN)/retrieval demo .

test: .venv/installed-dev
	$(MAKE) check

check:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

install: .venv/installed

.venv/installed: pyproject.toml
	@echo "setting up .venv (PyTorch and friends: about 6 GB, a few minutes the first time)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv collections/demo indexes/demo demo.html
