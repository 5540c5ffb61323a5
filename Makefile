# `make` says what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_JOBS ?= 2
NODE_MODULES := $(addsuffix /node_modules/.stamp,client-js server-js examples/express examples/fastapi-react examples/nextjs tests/integration)
NPM_CI := npm ci --no-audit --no-fund --loglevel=error

RIVALS ?= enforcer,node-lean,node-express,centrifugo,python-naive

.DEFAULT_GOAL := help
.PHONY: help run install test check client docs pictures soak bench bench-full lock tools anew clean

help:
	@echo 'make run      start the server with a demo page; writes config.json if there is none'
	@echo 'make test     install what the tests need and run them all'
	@echo 'make check    lint and types, Python and TypeScript'
	@echo 'make install  make .venv with the project in it'
	@echo 'make client   build the browser client into enforcer/static/'
	@echo 'make docs     build the site of docs/ into build/site; nothing in it is loaded from elsewhere'
	@echo 'make pictures take those of the console, the demo and the elements anew, from the real thing'
	@echo 'make soak     the tests that take long'
	@echo 'make bench    the comparison with other servers, small; make bench-full: as in docs/benchmarks.md'
	@echo 'make lock     pin the newest versions that pyproject.toml allows'
	@echo 'make clean    remove what these have made, but never config.json or a database'

# ---- what runs ----------------------------------------------------------------------------------

run: $(VENV)/run.stamp
	@$(BIN)/enforcer init --demo
	@$(BIN)/enforcer

install: $(VENV)/run.stamp

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed; make run PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# ---- what is tested -----------------------------------------------------------------------------

$(VENV)/test.stamp: $(VENV)/run.stamp requirements-test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.lock
	@touch $@

client-js/node_modules/.stamp: client-js/package-lock.json
	cd client-js && $(NPM_CI)
	@touch $@

tests/integration/node_modules/.stamp: tests/integration/package-lock.json
	cd tests/integration && $(NPM_CI)
	@touch $@

server-js/node_modules/.stamp: server-js/package-lock.json
	cd server-js && $(NPM_CI)
	@touch $@

examples/express/node_modules/.stamp: examples/express/package-lock.json server-js/package.json
	cd examples/express && $(NPM_CI)
	@touch $@

# The examples with a front of their own take the browser client as it is published, and are built once.
client-js/node_modules/.dist.stamp: client-js/node_modules/.stamp $(shell find client-js/src client-js/scripts -type f)
	cd client-js && npm run --silent build
	@touch $@

examples/fastapi-react/node_modules/.stamp: examples/fastapi-react/package-lock.json $(wildcard examples/fastapi-react/web/*.jsx) client-js/node_modules/.dist.stamp
	cd examples/fastapi-react && $(NPM_CI) && npm run --silent build
	@touch $@

NEXTJS := $(addprefix examples/nextjs/,package-lock.json next.config.js $(addprefix app/,*.jsx */*) lib/*)

examples/nextjs/node_modules/.stamp: $(wildcard $(NEXTJS) server-js/src/*) client-js/node_modules/.dist.stamp
	cd examples/nextjs && $(NPM_CI) && NEXT_TELEMETRY_DISABLED=1 npm run --silent build
	@touch $@

# Maven's cache is filled here, so that the tests run without a network. One test runs, for Maven to fetch what runs tests.
# What is built is installed, for the example to find it as in any application.
JAVA := server-java/pom.xml $(shell find server-java/src -type f)

server-java/target/.stamp: $(JAVA) $(if $(wildcard $(HOME)/.m2/repository/io/sessionenforcer),,anew)
	@command -v mvn >/dev/null || { echo 'Maven is not installed: the tests of server-java will be skipped' >&2; exit 0; }; \
	set -x; mvn -q -B -f server-java/pom.xml install -Dtest=FollowingTest && touch $@

examples/spring-boot/target/.stamp: server-java/target/.stamp $(shell find examples/spring-boot/pom.xml examples/spring-boot/src -type f)
	@command -v mvn >/dev/null || exit 0; \
	set -x; mvn -q -B -f examples/spring-boot/pom.xml package -DskipTests && touch $@

tools:
	@sh tests/install-tools.sh

$(VENV)/promtool.stamp: tests/get-promtool.sh | $(VENV)/bin/python
	@sh tests/get-promtool.sh $(BIN)
	@touch $@

$(VENV)/helm.stamp: tests/get-helm.sh | $(VENV)/test.stamp
	@sh tests/get-helm.sh $(BIN)
	@touch $@

test: tools $(VENV)/test.stamp $(VENV)/promtool.stamp $(VENV)/helm.stamp
	$(MAKE) $(NODE_MODULES) examples/spring-boot/target/.stamp
	cd client-js && npm test
	$(BIN)/python -m pytest -q -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder

soak: tools $(VENV)/test.stamp
	$(MAKE) $(NODE_MODULES)
	$(BIN)/python -m pytest -q -m soak

bench: tools $(VENV)/run.stamp
	$(BIN)/python -m bench --quick

bench-full: tools $(VENV)/test.stamp
	$(BIN)/python -m bench --rounds 5 --servers $(RIVALS) --json bench/results/full.json --charts docs/images/benchmarks
	$(BIN)/python -m bench.store
	$(BIN)/python -m bench.console
	$(BIN)/python -m bench.redis_store
	$(BIN)/python -m bench.live_sessions
	$(BIN)/python -m bench.stream

check: tools $(VENV)/test.stamp
	$(MAKE) client-js/node_modules/.stamp server-js/node_modules/.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 client-python/enforcer_client
	cd server-js && npm run --silent check
	cd client-js && npm run --silent check && npm run --silent drift && npm run --silent size && npm run --silent pack

# ---- what is made -------------------------------------------------------------------------------

client: tools
	$(MAKE) client-js/node_modules/.stamp
	cd client-js && npm run --silent build

docs: build/venv/.stamp $(VENV)/run.stamp
	$(BIN)/python -c 'import json; from enforcer.api import openapi; print(json.dumps(openapi.document()))' > build/openapi.json
	NO_MKDOCS_2_WARNING=1 build/venv/bin/mkdocs build --quiet --clean -f docs_site/mkdocs.yml
	@echo 'build/site/index.html'

pictures: tools $(VENV)/test.stamp
	$(BIN)/python -m docs_site.pictures

build/venv/.stamp: docs_site/requirements.lock
	$(PYTHON) -m venv build/venv
	build/venv/bin/python -m pip install --quiet --disable-pip-version-check -r docs_site/requirements.lock
	@touch $@

lock: $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile -q --upgrade pyproject.toml --extra signals --universal --no-header --python-version 3.11 -o requirements.lock
	$(BIN)/uv pip compile -q --upgrade pyproject.toml --extra signals --extra test --universal --no-header --python-version 3.11 -o requirements-test.lock
	echo mkdocs-material | $(BIN)/uv pip compile -q --upgrade - --universal --no-header --python-version 3.11 -o docs_site/requirements.lock

clean:
	rm -rf $(VENV) build $(dir $(NODE_MODULES)) client-js/dist server-js/types server-java/target examples/spring-boot/target examples/*/web/main.js examples/nextjs/.next test-artefacts
	find . -name __pycache__ -prune -exec rm -rf {} +
