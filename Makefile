# make demo      sets up, runs tinyworld-quick, builds the page, says where it is
# make site      builds the site of the published records, as it is put on the web; with the docs, if these are built
# make docs      builds the docs as a site into dist/docs; broken links and failing notebooks are errors
# make test      sets up, runs the tests that every change must pass
# make test-all  these and the slow ones
# make check     what CI does: lint, types, built packages, docs, all tests
# make coverage  fails where the tests of a package miss too much of it
# make mutation  the report of docs/reports/tests-and-speed.md
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
SPREAD := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: demo site docs test test-all check lint types packages coverage mutation clean

demo: $(STAMP)
	HF_HUB_OFFLINE=1 $(BIN)/rebeca-bench run tinyworld-quick --workdir .work --site dist/site

site: $(STAMP)
	$(BIN)/rebeca-bench site build results/tinyworld results/tinyworld-quick results/sprites --out dist/site $(if $(wildcard dist/docs),--docs dist/docs)

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

test: $(STAMP)
	$(PYTEST) $(SPREAD)

test-all: $(STAMP)
	$(PYTEST) $(SPREAD) -m "slow or not slow"

check: export EXECUTE_NOTEBOOKS = false
check: lint types packages docs test-all

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

packages: $(STAMP)
	sh scripts/check_distributions.sh $(BIN)/python $(if $(wildcard results/sprites),results)

coverage: $(STAMP)
	$(BIN)/python -m scripts.coverage_by_package

mutation: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[mutation]"
	OMP_NUM_THREADS=1 $(BIN)/mutmut run
	$(BIN)/mutmut results

clean:
	rm -rf $(VENV) .work dist

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v >= (3, 11) else f"Python 3.11 or newer is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[offline,dev]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps hpsv2x==1.2.0 clint==0.5.1 args==0.1.0  # pins others' old versions; an oracle in tests
	npm install --silent --no-save --no-package-lock --prefix $(VENV)/axe axe-core@4.14.1 || echo "no npm: tests of accessibility will be skipped"
	touch $(STAMP)
