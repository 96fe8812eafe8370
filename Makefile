# make demo: relax bundled structures, then run OpenMM dynamics. make test: lint, types and the whole test suite.
# make models-check: the errors on the cards, once more from the weights.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint models-check clean
.DELETE_ON_ERROR:

demo: $(STAMP)
	$(BIN)/python scripts/demo.py

# Two workers with one thread each: more threads than cores make small operations wait for each other.
test: $(STAMP) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

models-check: $(STAMP)
	$(BIN)/python scripts/check_models.py

$(STAMP): pyproject.toml scripts/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c scripts/constraints.txt -e ".[all,test]"
	touch $(STAMP)

clean:
	rm -rf $(VENV) demo-output .pytest_cache .mypy_cache .ruff_cache
