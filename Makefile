# The two commands of the README, and those of development. VENV is made on first use.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: setup demo study docs test test-slow fuzz benchmarks pictures check wheel-check clean

setup: $(VENV)/ready

# torch first and by its exact version: that is a CPU build, where any other way of asking for it
# may bring several GB of CUDA.
$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "assonance needs Python 3.11 or later; name one with PYTHON=" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) 'pip>=25.1'
	$(PIP) --constraint constraints.txt torch==2.13.0
	$(PIP) --constraint constraints.txt --group dev --group docs --editable '.[cluster,datasets,lhotse,peft]'
	@touch $@

demo: setup
	$(BIN)/assonance demo --out runs/demo

# The paper repeated with the bundled miniatures, and its text in the manual.
study: setup
	$(BIN)/assonance study elkheir2024 --out runs/study
	$(BIN)/python docs/study.py runs/study

# The manual, in docs/_build: warnings are errors, also links that lead nowhere.
docs: setup
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -b html docs docs/_build

test: setup
	$(BIN)/python -m pytest -n auto

# Speed, memory and growth: minutes each; the job of real size takes the better part of an hour.
benchmarks: setup
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.parts
	$(BIN)/python -m benchmarks.single_pair
	$(BIN)/python -m benchmarks.uncertainty --repeat 2
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.heads
	$(BIN)/python -m benchmarks.extraction
	$(BIN)/python -m benchmarks.checkpoints
	$(BIN)/python -m benchmarks.real
	$(BIN)/python -m benchmarks.cluster
	$(BIN)/python -m benchmarks.validity

test-slow: setup
	$(BIN)/python -m pytest -n auto -m slow

# Ten thousand damaged files of all kinds, at random; the ordinary tests try a few of each.
fuzz: setup
	ASSONANCE_FUZZ=$${ASSONANCE_FUZZ:-650} $(BIN)/python -m pytest tests/test_fuzz.py

# The pictures of the README and the manual, from the demo's results; needs Chromium.
pictures: demo
	$(BIN)/python docs/pictures.py runs/demo/results.nc
	$(BIN)/python docs/report_parts.py runs/demo/report.html

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Builds wheel and source distribution, and tries the wheel in a fresh environment; INTERPRETER
# names another Python for that.
INTERPRETER ?= $(BIN)/python
wheel-check: setup
	$(BIN)/python .ci/check_wheel.py --python $(INTERPRETER)

clean:
	rm -rf $(VENV) runs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
