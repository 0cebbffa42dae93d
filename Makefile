# CampusMeter: every target does its own set-up. `make run` shows it at work, `make test` proves it.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test lint bench lab packages clean system-run system-test system-bench

help: ## what can be done
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: system-run $(STAMP) ## a school in network namespaces, measured for real: http://127.0.0.1:8080/
	@$(PY) -m tests.lab.demo

# what measures no time and asks no network may run beside itself; the rest has the machine to itself. Three beside each other:
# the booted machines of tests/packaging mostly wait
BESIDE := tests/packaging tests/collector tests/dashboards tests/deploy tests/docs tests/wire \
  tests/two_at_once tests/unauthenticated tests/office_files tests/odd_equipment tests/hostile_gateway/test_program.py \
  $(addprefix tests/agent/,central clock config devices discover doctor enroll ports schedule ship) \
  $(addprefix tests/flow/,test_chaos.py test_fortnight.py test_outage.py)

test: system-test $(STAMP) lint ## linters and all tests
	$(PY) -m pytest --durations=10 -n 3 --dist loadfile $(BESIDE)
	$(PY) -m pytest --durations=25 $(addprefix --ignore=,$(BESIDE))

lint: $(STAMP) ## style, types, layers
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: system-bench $(STAMP) ## measured figures: speed and memory
	@for bench in tests/bench/*.py; do echo "== $$bench"; PYTHONPATH=. $(PY) $$bench || exit 1; done

lab: system-run $(STAMP) ## the school alone, in the foreground
	@$(PY) -m tests.lab

packages: system-run $(STAMP) ## Debian packages of agent and collector, and the bundle for gateways without Internet, into dist/
	@deploy/package/build.sh
	@deploy/package/bundle.sh

clean: ## remove what these targets made
	rm -rf $(VENV) .run dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

system-run:
	@deploy/setup/packages.sh run

system-test:
	@deploy/setup/packages.sh test

system-bench:
	@deploy/setup/packages.sh bench

$(STAMP): pyproject.toml
	@deploy/setup/venv.sh $(VENV)
	@touch $@
