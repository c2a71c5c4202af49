# Every target sets up what it needs by itself. `make test` leaves the trainings out.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: install demo demo-real smollm2 test test-all types check bench audit licences docs site wheels format clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[excel,gguf,schema,sweep,ui]" --group dev --group site
	touch $(READY)

demo: $(READY)
	$(BIN)/recipe run demo

smollm2: $(READY)
	$(BIN)/tune fetch smollm2

demo-real: smollm2
	$(BIN)/recipe run demo --model smollm2

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-all: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

types: $(READY)
	$(BIN)/mypy

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(MAKE) --jobs 2 types test-all

bench: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --group bench
	$(BIN)/python -m benchmarks

audit: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --group audit
	$(BIN)/pip-audit --local --skip-editable

licences: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --group audit
	$(BIN)/pip-licenses --from=mixed --order=license --partial-match --fail-on="GPL;GNU"

docs: $(READY)
	$(BIN)/python -m docs.generate

site: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheels: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --group nox
	$(BIN)/nox --session wheel

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build *.egg-info
