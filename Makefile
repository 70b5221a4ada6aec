# `make` lists the targets. Needs Python 3.11 with pip, and make (some targets: git); everything else comes from PyPI and
# the npm registry, and is installed into .venv and frontend/node_modules.
SHELL := /bin/bash
PYTHON ?= python3.11
PORT ?= 8080
AIRFLOW_VERSION := 3.3.2

BIN := .venv/bin
STAMP := .venv/.installed
CHECKED := src tests dags plugins scripts benchmarks hatch_build.py
# the pages' scripts and style, bundled from frontend/ with the Node of .venv
ASSETS := src/taskops_provider/www/static/dist/manifest.json
TEMPLATES := src/taskops_provider/www/templates
# the folders too: their time tells that a file went
FRONTEND := hatch_build.py $(shell find frontend -name node_modules -prune -o -print)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-quick test-matrix simulate live-loop fuzz coverage golden lint secrets audit format constraints screenshots bench build clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

test: lint secrets ## Lint, look for secrets, then run all tests: SQLite, PostgreSQL if a server answers, end to end (PYTEST_ARGS=...)
	scripts/test.sh

simulate: install ## Play random histories (N= histories or MINUTES=, JOBS= processes, SEED=, DB=sqlite|postgresql, REPLAY=script)
	$(BIN)/python -m tests.simulation $(if $(N),--histories $(N)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(SEED),--seed $(SEED)) $(if $(DB),--db $(DB)) $(if $(REPLAY),--replay $(REPLAY))

live-loop: install ## Have two schedulers on PostgreSQL do what once broke the core, again and again (RUNS=200, SEED=)
	$(BIN)/python -m tests.live_loop $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED))

fuzz: install ## Send hostile requests to REST and pages (N= requests, SEED=, FIRST= number of the first one)
	$(BIN)/python -m tests.contract.fuzz $(if $(N),--requests $(N)) $(if $(SEED),--seed $(SEED)) $(if $(FIRST),--first $(FIRST))

test-quick: lint ## Lint, then an answer in minutes: unit, property and the quick ones of the integration tests
	scripts/test.sh quick

test-matrix: install ## Try other versions of Airflow and Python (LEGS="AIRFLOW:PYTHON:DATABASE ...", SHORT=1 for the short tests)
	$(BIN)/python scripts/test_matrix.py $(if $(SHORT),--short) $(LEGS)

coverage: install ## Measure the lines and branches that tests on SQLite reach, without end to end; fails below the floor
	$(BIN)/python -m pytest tests/unit tests/property tests/integration tests/contract -n 2 --dist worksteal -q \
		--cov --cov-report=term --cov-report=html:.coverage-html $(PYTEST_ARGS)

golden: install ## Record what REST, command line and pages answer; read the diff before you commit it
	$(BIN)/python -m pytest tests/contract/golden --update-golden -q

lint: install ## Check style, layers and types, of Python and of the front end
	$(BIN)/ruff check $(wildcard $(CHECKED))
	$(BIN)/ruff format --check $(wildcard $(CHECKED))
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/djlint --quiet --lint $(TEMPLATES)
	$(BIN)/python hatch_build.py lint types

secrets: install ## Look for keys and tokens in every file that git keeps
	$(BIN)/python scripts/scan_secrets.py

# asks the databases of known vulnerabilities
audit: install ## Look for known vulnerabilities in what is installed and bundled (needs the network)
	$(BIN)/uv tool run --quiet --python $(BIN)/python pip-audit==2.10.1 --requirement constraints.txt --no-deps --disable-pip
	$(BIN)/python hatch_build.py audit

format: install ## Format the code, and fix what the linters can fix
	$(BIN)/ruff check --fix $(wildcard $(CHECKED))
	$(BIN)/ruff format $(wildcard $(CHECKED))
	$(BIN)/python hatch_build.py format

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
	rm -rf .venv .demo .matrix dist frontend/node_modules src/taskops_provider/www/static/dist build .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache .coverage .coverage-html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
