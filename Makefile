# The targets for development; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
export PYTHONDONTWRITEBYTECODE = 1

.DEFAULT_GOAL := help
.PHONY: help env demo demo-knative sandbox test test-lowest search fuzz lint format e2e e2e-build e2e-api e2e-knative e2e-argo chaos chaos-knative soak bench vectors pictures chart release lock clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

env: $(STAMP) ## build the virtual environment from the lock file

$(STAMP): .requirements-dev.lock pyproject.toml
	@echo "building $(VENV), once: a minute or two ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "stagegate needs Python 3.11 or newer; name one with PYTHON=..." >&2; exit 3; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r .requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## watch an edited Service and a rollout on this machine, without a cluster (KEEP=1 stays up)
	@$(BIN)/python -m sandbox.demo $(if $(KEEP),--keep)

demo-knative: $(STAMP) ## watch a rollout on Knative's own programs (needs root, and Go 1.26 or PyPI to build them once)
	@$(BIN)/python -m tests.rig demo

sandbox: $(STAMP) ## a local API server to try things on (PORT=..., DIR=... for its kubeconfig)
	@$(BIN)/python -m sandbox $(if $(PORT),--port $(PORT)) $(if $(DIR),--dir $(DIR))

test: $(STAMP) ## unit, property, vector and integration tests
	@$(BIN)/python -m pytest -n auto -m "not e2e"

test-lowest: ## the tests with the lowest versions that pyproject.toml allows (needs uv)
	@uv venv --quiet --allow-existing .venv-lowest
	@uv pip install --quiet --python .venv-lowest --resolution lowest-direct --editable .[dev]
	@.venv-lowest/bin/python -m pytest -n auto -m "not e2e and not integration"

search: $(STAMP) ## the property tests with new random examples
	@$(BIN)/python -m pytest -n auto --hypothesis-profile=search $$(grep -rlE '^from hypothesis|^import hypothesis' tests --include='test_*.py')

fuzz: $(STAMP) ## fuzz reviews and the HTTP protocol, guided by coverage, on two cores (SECONDS=..., TARGET=reviews or streams)
	@$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60) $(if $(TARGET),--only $(TARGET))

vectors: $(STAMP) ## compare with the recorded behaviour of upstream, row by row (DIR=... for other rows)
	@$(BIN)/python -m tests.vectors $(DIR)

lint: $(STAMP) ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## format the code with ruff
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

e2e: e2e-api e2e-knative ## the integration suite and more against a real kube-apiserver and real Knative (KUBERNETES=1.30, KNATIVE=1.21 for older ones)

e2e-build: $(STAMP) ## the programs that make e2e runs
	@KNATIVE=$(KNATIVE) KUBERNETES=$(KUBERNETES) $(BIN)/python -m tests.e2e build

e2e-api: e2e-build ## the part of make e2e without Knative's programs
	@KUBERNETES=$(KUBERNETES) $(BIN)/python -m pytest -n 2 --dist loadfile -m "integration or e2e" tests/integration tests/e2e tests/chaos tests/loop/test_recorded_over_http.py --control-plane real --ignore-glob='*/test_knative_*' --ignore=tests/e2e/gitops/argo_cd

e2e-knative: e2e-build ## the part of make e2e with Knative's programs
	@KNATIVE=$(KNATIVE) KUBERNETES=$(KUBERNETES) $(BIN)/python -m pytest -n 2 --dist loadfile tests/e2e/test_knative_*.py --control-plane real

e2e-argo: $(STAMP) ## the tests against real Argo CD, which make e2e leaves out because of its build
	@KUBERNETES=$(KUBERNETES) $(BIN)/python -m tests.e2e build argo-cd
	@KUBERNETES=$(KUBERNETES) $(BIN)/python -m pytest -n 2 --dist loadfile tests/e2e/gitops/argo_cd --control-plane real

chaos: $(STAMP) ## kill the loop 200 times while requests fail, clocks jump, certificates rotate and a former release leads (SEED=20-39, KILLS=...)
	@$(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --kills $(or $(KILLS),200)

chaos-knative: $(STAMP) ## kill webhook and loop 40 times while Services are edited on real Knative (SEED=..., KILLS=..., KNATIVE=1.21)
	@KNATIVE=$(KNATIVE) $(BIN)/python -m tests.chaos --knative --seed $(or $(SEED),1) --kills $(or $(KILLS),40)

soak: $(STAMP) ## rollouts without pause on a real kube-apiserver; nothing may be left behind, and nothing may grow (MINUTES=...)
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10)

bench: $(STAMP) ## compare the webhook and the loop with other servers and clients
	@$(BIN)/python -m tests.bench

pictures: $(STAMP) ## take the pictures of the page anew, for its tests and for the README (needs Chromium)
	@$(BIN)/python -m tests.web

chart: $(STAMP) ## make the templates of the Helm chart from the manifests
	@$(BIN)/python -m shipping.chart

release: $(STAMP) ## pack the commit as a release: manifests, chart, plugin, checksums (DIR=..., IMAGE=NAME@DIGEST, OWNER=...)
	@PATH="$$($(BIN)/python -m tests.e2e path)$$PATH" $(BIN)/python -m shipping.release $(if $(DIR),--dir $(DIR)) $(if $(IMAGE),--image $(IMAGE)) $(if $(OWNER),--owner $(OWNER))

lock: ## pin the dependencies again (needs uv)
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 --extra dev -c requirements.lock --no-emit-package stagegate pyproject.toml -o .requirements-dev.lock

clean: ## remove everything that the other targets made
	rm -rf $(VENV) .venv-3.13 .venv-lowest .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .bench .fuzz build dist *.egg-info
