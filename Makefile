# make app | demo | test | check | wheel — each sets up the environment when it is missing
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: app demo test check fix wheel clean

app: $(STAMP)
	$(BIN)/curate app assets/demo.json

demo: $(STAMP)
	$(BIN)/curate demo

# files of tests side by side on all processors; those that watch a browser need the machine for themselves
test: $(STAMP)
	$(BIN)/python -m pytest -q -n logical --dist loadfile --ignore=tests/browser
	$(BIN)/python -m pytest -q tests/browser

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fix: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: $(STAMP)
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) .curation dist

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 app")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[fast,hub,report,dev]'
	touch $@
