# One command per action; CI runs the same ones.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Tests and benchmarks start hundreds of interpreters: each would compile what it imports again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
MEMBERS := . services/scheduler services/kvs-proxy services/kvs-node services/lambda-emulator functions/executor functions/invoker
PYPROJECTS := $(addsuffix /pyproject.toml,$(MEMBERS))
OURS := wukong wukong-scheduler wukong-kvs-proxy wukong-kvs-node wukong-lambda-emulator wukong-executor wukong-invoker
# Not --quiet: MkDocs does not count warnings that it does not say, and a strict build then fails for none.
# The notice left out is about the theme's next years.
SITE := said=$$(NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict 2>&1) || { echo "$$said"; exit 1; }
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
# What an image installs: the versions that the tests ran with.
COMPILE_IMAGE := $(COMPILE) -c requirements/dev.txt $(addprefix --no-emit-package ,$(OURS))

DEPLOY := $(BIN)/python -m deploy
IN_ENVIRONMENT = --environment $(or $(ENVIRONMENT),$(error say which environment: ENVIRONMENT=dev))

.PHONY: help setup peers demo test simulation simulation-mutations soak check format protos certificates docs lock images e2e scanners terraform certificate push deploy destroy picture bench bench-quick bench-fan-out bench-growth bench-start bench-policies bench-values

help:  ## list the commands
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-21s %s\n", $$1, $$2}'

setup: .venv/.ready  ## make or update .venv from the hashed lock

.venv/.ready: requirements/setup.txt requirements/dev.txt $(PYPROJECTS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/setup.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(addprefix -e ,$(MEMBERS))
	@touch $@

peers: setup .venv-peers/.ready  ## make or update .venv-peers, with what Wukong is measured beside, from its hashed lock

.venv-peers/.ready: requirements/peers.txt
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@VIRTUAL_ENV=$(CURDIR)/.venv-peers $(BIN)/uv pip sync --quiet --require-hashes requirements/peers.txt
	@touch $@

scanners: setup .venv-scanners/.ready  ## make or update .venv-scanners, with what looks through terraform/, from its hashed lock

.venv-scanners/.ready: requirements/scanners.txt
	@test -x .venv-scanners/bin/python || $(PYTHON) -m venv .venv-scanners
	@VIRTUAL_ENV=$(CURDIR)/.venv-scanners $(BIN)/uv pip sync --quiet --require-hashes requirements/scanners.txt
	@touch $@

demo: setup  ## run every example on an embedded cluster and check it against Dask
	@$(BIN)/python -m examples

test: setup  ## every test
	@$(BIN)/python -m pytest

simulation: setup  ## clusters in virtual time from SEEDS=n seeds from FIRST_SEED=s on, or SEED=s again
	@$(BIN)/python -m tests.simulation $(or $(SEED),--seeds $(or $(SEEDS),1000) --first $(or $(FIRST_SEED),0))

simulation-mutations: setup  ## break the simulated cluster on purpose; each way has to be caught
	@$(BIN)/python -m tests.simulation --mutations

soak: setup  ## kill, stop and starve real processes in running jobs: ROUNDS=n of each, SEED=s, ONLY=fault/workload/round
	@$(BIN)/python -m tests.soak --rounds $(or $(ROUNDS),50) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

check: setup  ## lint, formatting, types, import rules, protos, generated code, the documentation's links
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/buf lint
	@$(BIN)/python protos/breaking.py
	@$(BIN)/python protos/generate.py --check
	@$(SITE)

format: setup  ## rewrite the sources in the project's format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

protos: setup  ## generate src/wukong/rpc/v1 from protos/
	@$(BIN)/python protos/generate.py

certificates: setup  ## make certificates for development in build/certificates, for TLS
	@$(BIN)/python -m wukong.cluster.certificates build/certificates

docs: setup  ## build the documentation's site into build/site
	@$(SITE)

lock: setup  ## compile requirements/*.txt anew
	@echo 'uv' | $(COMPILE) - -o requirements/setup.txt
	@$(COMPILE) pyproject.toml --extra local --group dev $(addprefix --no-emit-package ,$(OURS)) -o requirements/dev.txt
	@echo 'hatchling' | $(COMPILE) -c requirements/dev.txt - -o requirements/build.txt
	@$(COMPILE) --group peers -c requirements/dev.txt -o requirements/peers.txt
	@$(COMPILE) --group scanners -o requirements/scanners.txt
	@$(COMPILE_IMAGE) services/scheduler/pyproject.toml -o requirements/scheduler.txt
	@$(COMPILE_IMAGE) services/kvs-proxy/pyproject.toml -o requirements/kvs-proxy.txt
	@$(COMPILE_IMAGE) services/kvs-node/pyproject.toml --extra server -o requirements/kvs-node.txt
	@$(COMPILE_IMAGE) services/lambda-emulator/pyproject.toml --extra docker -o requirements/lambda-emulator.txt
	@$(COMPILE_IMAGE) functions/executor/pyproject.toml --extra science -o requirements/executor.txt
	@$(COMPILE_IMAGE) functions/invoker/pyproject.toml -o requirements/invoker.txt

images:  ## build every image with `docker buildx bake`
	@REVISION=$$(git rev-parse HEAD) docker buildx bake

e2e: setup images  ## the tests on real containers; they need Docker with Compose
	@$(BIN)/python -m pytest tests/e2e -m e2e

terraform: scanners  ## check terraform/: format, types, plans, policies, a scanner, mistakes on purpose; needs Terraform
	@.ci/terraform
	@$(BIN)/python -m pytest tests/terraform -m terraform
	@.venv-scanners/bin/python docs/pictures/aws.py --check

picture: scanners  ## draw docs/pictures/aws.svg anew from terraform/environments/prod
	@.venv-scanners/bin/python docs/pictures/aws.py

certificate: setup  ## make a certificate for the load balancer of ENVIRONMENT=name, and an authority of your own for it
	@$(DEPLOY) certificate $(IN_ENVIRONMENT)

push: setup  ## build images for AWS, push them, and pin their digests in ENVIRONMENT=name; ARCHITECTURE=x86_64 or arm64
	@$(DEPLOY) push $(IN_ENVIRONMENT) $(if $(ARCHITECTURE),--architecture $(ARCHITECTURE))

deploy: setup  ## the registry, the images and all of ENVIRONMENT=name on AWS; YES=1 does not ask, ROTATE=1 makes new secrets
	@$(DEPLOY) apply $(IN_ENVIRONMENT) $(if $(ARCHITECTURE),--architecture $(ARCHITECTURE)) $(if $(YES),--yes) $(if $(ROTATE),--rotate)

destroy: setup  ## remove ENVIRONMENT=name from AWS, with all that it keeps; YES=1 does not ask
	@$(DEPLOY) destroy $(IN_ENVIRONMENT) $(if $(YES),--yes)

bench: peers  ## measure Wukong beside distributed, Ray, Dask's own schedulers and Lithops, in one run of 25 minutes
	@$(BIN)/python -m benchmarks

bench-quick: peers  ## some of that, in three minutes
	@$(BIN)/python -m benchmarks --quick

bench-fan-out: setup  ## measure the three ways of giving many pieces away, in one run
	@$(BIN)/python -m benchmarks.fan_out

bench-policies: setup  ## measure the policies inside one engine, and each without each of its mechanisms
	@$(BIN)/python -m benchmarks.policies

bench-growth: setup  ## measure what tasks and jobs cost as there are more of them, up to LARGEST=tasks
	@$(BIN)/python -m benchmarks.growth $(if $(LARGEST),--largest $(LARGEST))

bench-start: setup  ## measure how long imports, clusters and environments take to be there
	@$(BIN)/python -m benchmarks.start

bench-values: setup  ## measure how fast values go to the KVS and come back, beside what bounds that
	@$(BIN)/python -m benchmarks.values
