# Everything is kept in .venv and out/; nothing is installed system-wide. `make` alone explains itself.
# PYTHON=/path/to/python3.12 chooses the interpreter that .venv is made with.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?=
export PYTHON
# Tests and benchmarks start thousands of processes: each would compile all it imports anew.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
FILM := out/campaign.mp4
PYTEST := $(BIN)/python -m pytest

.PHONY: help run test check unit prove bench soak schema settings answers format lock clean always

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/installed ## make a campaign film of the photographs in examples/ and say where it is
	@mkdir -p out
	@$(BIN)/genlock run campaign examples/photos -o $(FILM) --pairs 6
	@echo "The film: $$PWD/$(FILM)"

test: check ## all checks and all tests, as they must pass before anything lands
	@$(BIN)/python scripts/test.py --durations=10

check: .venv/installed ## formatting, lint, types, and who imports whom
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

unit: .venv/installed ## the quick tests
	@$(PYTEST) tests/unit

prove: .venv/installed ## kill processes at every commit and paid request, and try many random histories
	@$(BIN)/python benchmarks/prove.py --random 200 --out docs/figures/prove.json
	@$(PYTEST) tests/crash/test_commits.py tests/property --prove

bench: .venv/installed ## measure with full counts and write docs/figures/
	@$(BIN)/python benchmarks/crash.py --out docs/figures/crash.json
	@$(BIN)/python benchmarks/film.py --out docs/figures/film.json
	@$(BIN)/python benchmarks/engine.py --peers --out docs/figures/engine.json
	@$(BIN)/python benchmarks/paid_once.py --peers --out docs/figures/paid_once.json
	@$(BIN)/python benchmarks/api.py --out docs/figures/api.json

soak: .venv/installed ## what takes long: ten minutes of load, fifty jobs over ten kills, thousands of odd requests
	@$(PYTEST) tests/api/test_restart.py tests/api/test_schema.py --prove
	@$(BIN)/python benchmarks/api.py --seconds 600 --out docs/figures/api.json

schema: .venv/installed ## write down the ledger's new schema, with jobs in it, for all later versions to read
	@$(BIN)/python tests/history.py

answers: .venv/installed ## write the examples in OpenAPI from what docs/api.md makes a server say
	@$(BIN)/python scripts/answers.py

settings: .venv/installed ## write docs/settings.md from the definitions of the settings
	@$(BIN)/python scripts/settings.py

format: .venv/installed ## put formatting in order and fix what ruff can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## bring the locks in line with pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-annotate --no-header \
	    --quiet --python-version 3.11 -o requirements.lock
	@sed -n 's/^\([A-Za-z0-9._-]*==[^ ]*\).*/\1/p' requirements.lock > packaging/.pins
	@uv pip compile pyproject.toml --extra postgres --extra telemetry -c packaging/.pins --universal --generate-hashes \
	    --no-annotate --no-header --quiet --python-version 3.11 -o packaging/requirements.lock
	@echo "hatchling" | uv pip compile - -c packaging/.pins --universal --generate-hashes --no-annotate --no-header --quiet \
	    --python-version 3.11 -o packaging/build.lock
	@rm packaging/.pins
	@echo "requirements.lock: $$(grep -c == requirements.lock) packages, $$(grep -c == packaging/requirements.lock) of them in the image"

clean: ## remove .venv, caches and films made by `make run`
	@rm -rf .venv out dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An interpreter that is asked for by name may not be the one .venv has: the script looks.
.venv/installed: requirements.lock pyproject.toml scripts/venv $(if $(PYTHON),always)
	@scripts/venv
