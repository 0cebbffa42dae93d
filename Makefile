# CampusMeter: every target does its own set-up. `make run` shows it at work, `make test` proves it.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
MANUAL := collector/campus_collector/http/pages/manual
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run demo test test-postgres lint bench lab messages docs pictures packages clean system-run system-test system-bench

help: ## what can be done
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: system-run $(STAMP) $(MANUAL)/index.html ## a school with its equipment in network namespaces, measured for real: http://127.0.0.1:8080/
	@$(PY) -m tests.lab.demo

demo: $(STAMP) $(MANUAL)/index.html ## an invented county with thirteen months behind it: http://127.0.0.1:8100/
	@$(PY) -m tests.county

# What measures rates runs two beside each other: each is at work for a part of the time. The rest runs six beside each other: much of it waits (booted machines,
# silent equipment). The long files begin first (tests/conftest.py).
RATES := tests/agent/measure/test_throughput.py $(addprefix tests/lab/test_,demo.py page.py) \
  $(addprefix tests/agent/measure/burst/test_,attacks.py client_and_server.py narrow_hop.py on_shaped_lines.py) \
  $(addprefix tests/hostile_gateway/,test_cpu.py test_busy_line.py) \
  $(addprefix tests/flow/,test_breaks.py test_lab_verdicts.py test_spine.py)

# What stands on the store is tested on both databases. `make test` asks on PostgreSQL what works on the store itself; `make test-postgres` asks all of the collector's tests.
ON_POSTGRES := $(addprefix tests/collector/,store ledger ingest inventory/test_importer.py) tests/two_at_once

test: system-test $(STAMP) $(MANUAL)/index.html lint ## linters and all tests
	$(PY) -m pytest --durations=25 -n 6 --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(RATES))
	$(PY) -m pytest --durations=10 -n 6 --dist loadfile --no-loadscope-reorder --store postgres $(ON_POSTGRES)
	$(PY) -m pytest --durations=25 -n 2 --dist loadfile --no-loadscope-reorder $(RATES)

test-postgres: system-test $(STAMP) ## the collector's tests on PostgreSQL instead of SQLite
	$(PY) -m pytest -n 6 --dist loadfile --no-loadscope-reorder --store postgres tests/collector tests/two_at_once

lint: $(STAMP) ## formatter, linters, types, layers
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: system-bench $(STAMP) ## measured figures: speed and memory
	@for bench in tests/bench/*.py; do echo "== $$bench"; PYTHONPATH=. $(PY) $$bench || exit 1; done

lab: system-run $(STAMP) ## the school alone, in the foreground
	@$(PY) -m tests.lab

messages: $(STAMP) ## the catalogues of messages brought up to date with the sources: extracted, merged, compiled
	$(PY) -m tests.messages

docs: $(STAMP) ## the manual as a site, which the collector serves at /help
	$(PY) -m docs.reference
	$(PY) -m mkdocs build --quiet --config-file docs/mkdocs.yml

pictures: $(STAMP) ## a picture of every page, taken from an invented county
	@$(PY) -m docs.pictures

packages: system-run $(STAMP) $(MANUAL)/index.html ## Debian packages of agent and collector, and the bundle for gateways without Internet, into dist/
	@deploy/package/build.sh
	@deploy/package/bundle.sh

clean: ## remove what these targets made
	rm -rf $(VENV) $(MANUAL) .run dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

system-run:
	@deploy/setup/packages.sh run

system-test:
	@deploy/setup/packages.sh test

system-bench:
	@deploy/setup/packages.sh bench

$(MANUAL)/index.html: $(shell find docs -type f -not -name '*.pyc') | $(STAMP)
	@$(PY) -m mkdocs build --quiet --config-file docs/mkdocs.yml

$(STAMP): pyproject.toml
	@deploy/setup/venv.sh $(VENV)
	@touch $@
