# The only commands anyone needs. `make help` lists them.
APP := .venv/bin/python
BOT := .venv-bot/bin/python
export RASA_TELEMETRY_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: .test-knowledge .test-rest audit fuzz-api sbom browser cluster-test load serve-cluster frontend frontend-check figures help setup build train serve test check eval bench lint format types screenshots clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup:  ## both environments, side by side (first time: some minutes)
	@$(MAKE) --no-print-directory -j2 .venv/.done .venv-bot/.done

.venv/.done: pyproject.toml tools/environments.py
	@python3 tools/environments.py app

.venv-bot/.done: pyproject.toml tools/environments.py
	@python3 tools/environments.py bot

build: setup  ## knowledge build and dialogue training, when their inputs have changed
	@$(APP) -m tools.prepare

serve: build  ## start everything; Ctrl-C stops it
	@$(APP) -m tools.serve

serve-cluster: build  ## two of everything with PostgreSQL, Redis and nginx on this machine (apt: postgresql redis-server nginx)
	@$(APP) -m tools.cluster

cluster-test: build  ## messages while each process of the cluster is killed once (N=messages, AT_ONCE=…, ROUNDS="kill stop upgrade planted")
	@$(APP) -m tools.cluster_test $(or $(ROUNDS),kill) --messages $(or $(N),2000) --at-once $(or $(AT_ONCE),32)

load: build  ## throughput and waiting at 1, 8, 32 and 64 messages at once
	@$(APP) -m tools.load

test: build  ## unit tests, and one shared start of the real processes
	@$(MAKE) --no-print-directory -j2 --output-sync=target .test-knowledge .test-rest
	@$(BOT) -m pytest -q tests/bot

# two halves side by side: the second waits for processes much of its time
.test-knowledge:
	@$(APP) -m pytest -q tests/knowledge

.test-rest:
	@$(APP) -m pytest -q tests --ignore=tests/browser --ignore=tests/bot --ignore=tests/knowledge

check: .venv/.done  ## hold the content to every rule
	@$(APP) -m knowledge check

fuzz-api: .venv/.done  ## generated and hostile requests against the API, more of them than in the tests
	@FUZZ_EXAMPLES=150 $(APP) -m pytest -q tests/web/test_fuzz.py

sbom:  ## software bills of materials (CycloneDX) of both environments and the front end, in var/sbom
	@python3 tools/audit.py sbom

audit:  ## known weaknesses of both environments and the front end, less those accepted in docs/audit.md
	@python3 tools/audit.py audit

eval: build  ## measure understanding and safety on the running system (WRITE=1: into evals/results.md)
	@$(APP) -m evals run $(if $(WRITE),--write)

bench: build  ## times and ratios against a stock Rasa bot
	@$(APP) -m evals.bench

lint: .venv/.done  ## ruff, formatting, imports between rooms
	@.venv/bin/ruff check .
	@.venv/bin/lint-imports

types: .venv/.done  ## mypy
	@.venv/bin/mypy

format: .venv/.done  ## format the code
	@.venv/bin/ruff check --fix -q . ; .venv/bin/ruff format -q .

browser: build  ## tests in a real browser (apt: chromium fonts-dejavu-core zbar-tools poppler-utils)
	@$(APP) -m pytest -q tests/browser

screenshots: build  ## pictures for the docs, from the running system
	@$(APP) -m tests.browser.shots

figures: build  ## what a cold load of the chat takes, and what it weighs
	@$(APP) -m tests.browser.figures

frontend:  ## rebuild the browser bundle (needs Node)
	@cd web/frontend && npm ci --silent --no-audit --no-fund && npm run --silent build

frontend-check: frontend  ## the committed bundle is what its sources and lockfile give (needs Node)
	@git diff --exit-code --stat -- web/static web/frontend/package-lock.json tests/browser/axe.min.js

clean:  ## remove builds and run-time files; environments stay
	rm -rf build var

.PHONY: bench-peers bench-search

.venv-peers/.done: evals/peers/requirements.txt
	@$(APP) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet torch==2.13.0
	@.venv-peers/bin/python -m pip install --quiet -r evals/peers/requirements.txt
	@touch $@

bench-peers: build .venv-peers/.done  ## other retrieval libraries on the same statements and questions, in evals/peers.md
	@$(APP) -m evals.peers

bench-search: build  ## one query on one thread, how the index grows, an int8 encoder; in evals/peers.md
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(APP) -m evals.bench_search
