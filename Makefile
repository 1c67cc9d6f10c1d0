# make week01   set up on first use, then run the week's lab: real work, graded, with a scoreboard
# make test     set up on first use, then every test (CI runs this); WEEK=7 for one week, ALL=1 for every notebook twice
# make lab      open the labs in JupyterLab
# make quick    the tests a developer runs before each commit
# make mutants MODULE=labsupport/receipts/ledger.py   break that module in small ways; name what its tests do not notice
# make lint     ruff, mypy, import rules, notebook drift
#
# BUILD=gpu installs CUDA torch and vLLM; later targets keep the build, BUILD=cpu goes back.
# LABS_PROFILE=smoke|cpu|gpu sets the sizes in the labs.

# Python of the environment that is there, so that a choice made once (make setup PYTHON=python3.12) stays.
PYTHON ?= $(shell test -x .venv/bin/python && echo .venv/bin/python || echo python3)
BIN := .venv/bin
WEEKS := $(patsubst solutions/%.py,%,$(wildcard solutions/week*.py))

.PHONY: setup lab $(WEEKS) test quick mutants bench notebooks lint lock clean help

help:
	@grep -E '^# make' Makefile | cut -c3-

setup:
	@$(if $(PROFILE),$(error PROFILE=$(PROFILE): what set-up installs is BUILD=cpu or BUILD=gpu; the sizes of the labs are LABS_PROFILE))
	@$(PYTHON) requirements/install.py $(if $(BUILD),--build $(BUILD))

lab: setup
	@$(BIN)/labs lab

# A learner's copy in the workspace is run if there is one; SOLUTION=1 runs the solved notebook.
$(WEEKS): setup
	@$(BIN)/labs run $(subst week,,$@) $(if $(SOLUTION),--solution)

# Each notebook runs from start to end once: labs through our runner, solutions through nbval; ALL=1 runs the full cross.
# WEEK=7 runs that week's notebooks and checks and the tests of its package. COSTS=1 ends with what each week and package
# cost, and fails where that is over the budgets of tests/budgets.toml.
PYTEST = LABS_TEST_RUN=$$$$-$$(date +%s) $(BIN)/python -m pytest $(if $(COSTS),--costs)
test: setup
	@$(PYTEST) $(if $(WEEK),--week $(WEEK)) $(if $(ALL),--cross)

quick: setup
	@$(PYTEST) -q -m "not slow"

# Not part of `make test`: about one CPU-second a mutant. TESTS= names other tests than those that mirror the module.
mutants: setup
	@$(BIN)/python tests/mutants.py $(or $(MODULE),$(error say which module, MODULE=labsupport/receipts/ledger.py)) $(TESTS)

bench: setup
	@$(BIN)/labs train --model resnet18 --dataset digits --num-workers 2 --epochs 2

notebooks: setup
	@$(BIN)/labs notebooks build

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/labs notebooks check

# Left out of the CPU lock: torch, whose build install.py chooses, with the CUDA libraries it would bring.
# Left out of both: rfc3987-syntax. jsonschema imports it when it is there, and it builds a grammar on import: 1.9 CPU-s
# in every process that imports Ray or Jupyter. Without it only the formats "iri" and "iri-reference" go unchecked.
UV_COMPILE = $(BIN)/python -m uv pip compile --universal --python-version 3.11 --no-header --no-annotate --quiet \
  --no-emit-package rfc3987-syntax
CUDA = $(shell sed -n 's/^\(nvidia-[a-z0-9-]*\|cuda-[a-z0-9-]*\)==.*/\1/p' requirements/gpu.txt | grep -v ml-py)
lock: setup
	@$(UV_COMPILE) requirements/gpu.in --output-file requirements/gpu.txt
	@UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(UV_COMPILE) requirements/cpu.in --override requirements/overrides.txt \
	  $(foreach name,torch triton $(CUDA),--no-emit-package $(name)) --output-file requirements/cpu.txt

clean:
	@rm -rf .venv .venv.lock build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
