# `make help` lists every target. You need Node, npm, Go, make and git; everything else is fetched once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Everything runs on the Node of devDependencies, or on a system Node that is new enough. The shell looks for it when each
# command runs, because in a fresh clone the first command installs it.
NODE := PATH="$(CURDIR)/node_modules/node/bin:$$PATH" node
SOURCES := $(shell find admission plugin scripts manifests -type f 2>/dev/null) package.json
# Your own cluster is used only if make is called with its KUBECONFIG (make demo KUBECONFIG=...); the environment's is
# ignored.
USE_CLUSTER := $(if $(filter command line,$(origin KUBECONFIG)),$(abspath $(KUBECONFIG)))

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

node_modules/.package-lock.json: package.json package-lock.json
	@command -v npm >/dev/null || { echo "error: npm is needed (Node.js 20 or later brings it)" >&2; exit 1; }
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@
	@$(MAKE) --no-print-directory node-is-new-enough

.PHONY: node-is-new-enough
node-is-new-enough:
	@$(NODE) -e 'const [a, b] = process.versions.node.split(".").map(Number); if (a < 22 || (a === 22 && b < 19)) { console.error(`error: Node $${process.versions.node} is too old and the one in devDependencies could not be installed: allow its install script (npm install-scripts approve node), or install Node >= 22.19`); process.exit(1) }'

.PHONY: setup
setup: node_modules/.package-lock.json ## Install the pinned npm packages

dist/.built: node_modules/.package-lock.json $(SOURCES)
	$(NODE) scripts/build.ts
	@touch $@

.PHONY: build
build: dist/.built ## Bundle the server and the plugin into dist/

.PHONY: manifests
manifests: controlplane ## Generate resource definitions and rendered overlays in manifests/
	@$(NODE) scripts/manifests/render.ts

.PHONY: check
check: setup ## Type-check, lint, check structure, references and words, ask npm for known vulnerabilities
	$(NODE) node_modules/typescript/bin/tsc -p .
	$(NODE) node_modules/@biomejs/biome/bin/biome check --error-on-warnings .
	@$(NODE) scripts/check/structure.ts
	@$(NODE) scripts/check/references.ts
	@$(NODE) scripts/check/words.ts
	@$(NODE) scripts/check/exports.ts
	@$(NODE) scripts/audit.ts

.PHONY: sentences
sentences: setup ## Print all texts that people read (messages, help, comments); ONLY="condition admission/sets" for some
	@$(NODE) scripts/sentences.ts $(ONLY)

.PHONY: format
format: setup ## Format, and fix what the linter can fix
	$(NODE) node_modules/@biomejs/biome/bin/biome check --write .

.PHONY: controlplane
controlplane: setup ## Build the embedded control plane (once: 5 min on 2 cores)
	@$(NODE) test/cluster/cli.ts build

.PHONY: test
test: build controlplane ## Run all tests of the product; FILES="..." for some
	@$(NODE) test/run.ts $(FILES)

.PHONY: test-rig
test-rig: build controlplane ## Run the tests of the test rig: its control plane, simulated GitHub and runners
	@$(NODE) test/run.ts test/rig-tests

.PHONY: test-unit
test-unit: build ## Run the tests that need no cluster
	@$(NODE) test/run.ts test/unit

.PHONY: mutants
mutants: setup ## Break each rule that decides something, in turn; a unit test has to fail. FILES="..." for some
	@$(NODE) test/mutants/run.ts $(FILES)

.PHONY: demo
demo: build controlplane ## Show the product in 20 seconds: a busy runner survives kubectl delete and drain
	@$(NODE) test/demo/demo.ts $(USE_CLUSTER)

.PHONY: demo-up
demo-up: build controlplane ## Start the demo's cluster and keep it running for you to try
	@$(NODE) test/demo/up.ts

.PHONY: demo-down
demo-down: setup ## Stop the demo's cluster
	@$(NODE) test/demo/down.ts

.PHONY: cluster
cluster: setup ## Start a local control plane, with its kubeconfig in .cluster/kubeconfig
	@$(NODE) test/cluster/cli.ts up

.PHONY: cluster-down
cluster-down: setup ## Stop the local control plane
	@$(NODE) test/cluster/cli.ts down

.PHONY: bench
bench: build controlplane ## Run benchmarks, as ratios to something measured in the same run; BENCH=name for one
	@$(NODE) test/bench/run.ts $(BENCH)

.PHONY: image
image: ## Build the container image of the server
	docker build -t runners-admission:$(shell sed -n 's/.*"version": "\(.*\)".*/\1/p' package.json) .

.PHONY: release
release: build ## Build a release: plugin archive, krew manifest, install files (IMAGE=repository), SBOM, checksums
	@IMAGE="$(IMAGE)" $(NODE) scripts/release/release.ts

.PHONY: clean
clean: ## Remove all build results (not the control plane's cache)
	rm -rf dist node_modules
