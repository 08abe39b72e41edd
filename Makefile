# make demo   sets up, runs tinyworld-quick, builds the page, says where it is
# make test   sets up, passes all tests
# make site   builds the site of the published records, as it is put on the web
# make check  what CI does: lint, types, tests, wheel
# make coverage, make mutation   the reports of docs/testing.md
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: demo test site check lint types wheel coverage mutation clean

demo: $(STAMP)
	HF_HUB_OFFLINE=1 $(BIN)/rebeca-bench run tinyworld-quick --workdir .work --site dist/site

site: $(STAMP)
	$(BIN)/rebeca-bench site build results/tinyworld results/sprites --out dist/site

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: lint types test wheel

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

wheel: $(STAMP)
	sh scripts/check_wheel.sh $(BIN)/python

coverage: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --cov --cov-report=term

mutation: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[mutation]"
	OMP_NUM_THREADS=1 $(BIN)/mutmut run
	$(BIN)/mutmut results

clean:
	rm -rf $(VENV) .work dist

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 13) else f"Python 3.11 or 3.12 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[offline,dev]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps hpsv2x==1.2.0 clint==0.5.1 args==0.1.0  # pins others' old versions; an oracle in tests
	npm install --silent --no-save --no-package-lock --prefix $(VENV)/axe axe-core@4.14.1 || echo "no npm: tests of accessibility will be skipped"
	touch $(STAMP)
