# Every target sets itself up: Python, pip and the package registries are all it needs.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto

# Bytecode is kept, whatever the environment says: the tests start some hundred processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check bench campaign lock docs clean

demo:  ## Three sites on this machine; PORT=8765 make demo moves the port.
	@PYTHON=$(PYTHON) tools/setup
	@$(BIN)/mosaic demo

test:  ## All tests but the long versions.
	@PYTHON=$(PYTHON) tools/setup browser identity redis azurite odbc
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not campaign" $(ARGS)

check:  ## Format, lint, types, import contracts, generated docs, migrations.
	@PYTHON=$(PYTHON) tools/setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate_hooks.py --check
	$(BIN)/python tools/check_migrations.py
	$(BIN)/python tools/check_tree.py

bench:  ## The figures, as a table and in bench/results.json; ONLY=name runs one.
	@PYTHON=$(PYTHON) tools/setup load $(if $(ONLY),$(filter lighthouse,$(ONLY)),lighthouse)
	$(BIN)/python -m bench $(ONLY)

campaign:  ## The long versions: full counts of kills and searches.
	@PYTHON=$(PYTHON) tools/setup browser identity redis azurite odbc
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m campaign --timeout 3600 $(ARGS)

lock:  ## Pins the newest versions in requirements.lock.
	@PYTHON=$(PYTHON) tools/setup
	.cache/bootstrap/bin/uv lock --quiet --upgrade
	.cache/bootstrap/bin/uv export --quiet --format requirements.txt --all-packages --no-emit-workspace --no-header -o requirements.lock
	@rm -f uv.lock

docs:  ## Documentation that is generated from the code.
	@PYTHON=$(PYTHON) tools/setup
	$(BIN)/python docs/generate_hooks.py

clean:  ## Removes what the targets made, but no data.
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache bench/.wagtail bench/.fleet
