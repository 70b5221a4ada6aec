# `make` lists the targets. Needs Python 3.11 with pip, and make; everything else is installed into .venv.
SHELL := /bin/bash
PYTHON ?= python3.11
PORT ?= 8080
AIRFLOW_VERSION := 3.3.2

BIN := .venv/bin
STAMP := .venv/.installed
CHECKED := src tests dags plugins scripts benchmarks hatch_build.py
# the pages' scripts and style, bundled from frontend/ with the Node of .venv
ASSETS := src/taskops_provider/www/static/dist/manifest.json
# the folders too: their time tells that a file went
FRONTEND := hatch_build.py $(shell find frontend -name node_modules -prune -o -print)

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format constraints screenshots bench build clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) $(ASSETS) ## Install TaskOps, Airflow and the tools into .venv, at the versions of constraints.txt

# The stamp makes a second run quick; a change of what is asked for makes it old. pip brings uv, which does the rest
# in a fraction of the time; both keep to constraints.txt, builds included.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt --build-constraint constraints.txt \
		-e '.[web,postgres,alarms]' --group dev
	touch $@

$(ASSETS): $(STAMP) $(FRONTEND)
	$(BIN)/python hatch_build.py
	touch $@

demo: install ## Run Airflow with TaskOps and the demo workflows until Ctrl-C (PORT=8080)
	@exec $(BIN)/python scripts/demo.py --port $(PORT)

test: lint ## Lint, then all tests: SQLite, PostgreSQL where a server answers, end to end (PYTEST_ARGS=...)
	scripts/test.sh

lint: install ## Check style, layers and types
	$(BIN)/ruff check $(wildcard $(CHECKED))
	$(BIN)/ruff format --check $(wildcard $(CHECKED))
	$(BIN)/lint-imports
	$(BIN)/mypy

format: install ## Put the code into shape
	$(BIN)/ruff check --fix $(wildcard $(CHECKED))
	$(BIN)/ruff format $(wildcard $(CHECKED))

constraints: ## Look for newer versions of everything but Airflow and write them to constraints.txt
	PYTHON=$(PYTHON) AIRFLOW_VERSION=$(AIRFLOW_VERSION) scripts/constraints.sh

screenshots: install ## Take pictures of all pages into screenshots/
	$(BIN)/python scripts/screenshots.py

bench: install ## Measure the ratios of the speed table
	@if [ -f benchmarks/__main__.py ]; then $(BIN)/python -m benchmarks; else echo "no benchmarks yet"; fi

build: install ## Build the wheel and the source archive into dist/
	rm -rf dist
	$(BIN)/uv build --quiet --python $(BIN)/python --build-constraint constraints.txt --out-dir dist
	@ls dist

clean: ## Delete what the other targets made, .venv included
	rm -rf .venv .demo dist frontend/node_modules src/taskops_provider/www/static/dist build .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
