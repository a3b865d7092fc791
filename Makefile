# make demo: set up, build an index from drawn figures, ask it both ways, measure it, leave a page to look at.
# make test: set up with the development tools and run every check.
# make docs: render the numbers and the list of commands that documents hold.
# make quick: every test but the slow ones.
# make bench: every benchmark that needs nothing but this repository, at a size that fits half an hour; results in build/bench/.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check docs quick bench install clean

demo: .venv/installed
	$(BIN)/retrieval demo .

test: .venv/installed-dev
	$(MAKE) check

# A browser beside other tests on both cores answers late: its tests run by themselves.
BROWSER := tests/server/page tests/pages/test_map_page.py

check:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto $(addprefix --ignore=,$(BROWSER))
	$(BIN)/pytest $(BROWSER)

docs: .venv/installed-dev
	$(BIN)/python benchmarks/tables.py
	$(BIN)/python -m retrieval.cli.manual

quick: .venv/installed-dev
	$(BIN)/pytest -q -n auto -m "not slow"

BENCH := build/bench

bench: .venv/installed-dev
	mkdir -p $(BENCH)
	test -d collections/bench || $(BIN)/retrieval draw collections/bench --count 400
	$(BIN)/python benchmarks/encode.py collections/bench --figures 400 --rounds 2 --out $(BENCH)/encode.json
	$(BIN)/python benchmarks/startup.py --source collections/bench --rounds 3 --out $(BENCH)/startup.json
	$(BIN)/python benchmarks/changes.py collections/bench --rows 50000 --out $(BENCH)/changes.json
	$(BIN)/python benchmarks/search.py --rows 50000 --look-up-rows 100000 --out $(BENCH)/search.json
	$(BIN)/python benchmarks/storage.py --rows 20000 --pairs 2000 --out $(BENCH)/storage.json
	$(BIN)/python benchmarks/evaluation.py --out $(BENCH)/evaluation.json
	$(BIN)/python benchmarks/evaluation_at_scale.py --quick --out $(BENCH)/evaluation-at-scale.json
	$(BIN)/python benchmarks/scale.py $(BENCH)/indexes --rows 50k 100k 200k --out $(BENCH)/scale.json
	$(BIN)/python benchmarks/frontier.py $(BENCH)/frontier --rows 100000 --system ours --system hnsw --system flat \
		--out $(BENCH)/frontier.json --plot $(BENCH)/frontier.png

install: .venv/installed

.venv/installed: pyproject.toml
	@echo "setting up .venv (PyTorch and friends: about 6 GB, a few minutes the first time)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[server]'
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv collections/demo collections/bench indexes/demo demo.html $(BENCH)
