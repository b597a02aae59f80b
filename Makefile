# Every recipe is a command one can type. `make help` lists the targets.
SHELL := /bin/bash
GO ?= go
NODE_DEPS := infra/local/node_modules/.package-lock.json
BICEP := infra/main.bicep infra/main.bicepparam
PKG ?= ./shared/functionshost
T ?= 1m

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

$(NODE_DEPS): infra/local/package.json infra/local/package-lock.json
	cd infra/local && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: deps
deps: $(NODE_DEPS) ## install the pinned npm packages of the local stack

.PHONY: run
run: deps ## start the marketplace on loopback (HOST=func for the real Functions host)
	$(GO) run ./infra/local/cmd/stoa-local run -host "$(or $(HOST),stand-in)"

.PHONY: demo
demo: deps ## walk one product through its whole life
	$(GO) run ./infra/local/cmd/stoa-local demo

.PHONY: build
build: ## build everything
	$(GO) build ./...

.PHONY: test
test: deps ## run every test but long fuzzing and benchmarks
	STOA_TEST_ALL=1 $(GO) test -race -shuffle=on -timeout 10m ./...
	node --test infra/local/bicep/

.PHONY: bench
bench: deps ## measure, print ratios, write bench.json
	$(GO) run ./infra/local/cmd/stoa-local bench

.PHONY: fuzz
fuzz: ## fuzz one parser: make fuzz PKG=./shared/functionshost T=5m
	$(GO) test -run '^$$' -fuzz . -fuzztime $(T) $(PKG)

.PHONY: fmt
fmt: ## format the Go code
	gofmt -w functions shared infra

.PHONY: lint
lint: ## vet, staticcheck, formatting
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@test -z "$$(gofmt -l functions shared infra)" || { echo "not gofmt-clean:"; gofmt -l functions shared infra; exit 1; }

.PHONY: tidy-check
tidy-check: ## go mod tidy must change nothing
	$(GO) mod tidy -diff

.PHONY: generate-check
generate-check: ## go generate must change nothing
	$(GO) generate ./...
	git diff --exit-code

.PHONY: bicep
bicep: deps ## parse and lint the templates
	node infra/local/bicep/check.js $(BICEP)

.PHONY: package
package: ## stage dist/ and a reproducible dist.zip
	$(GO) run ./infra/local/cmd/stoa-local package

.PHONY: check
check: deps build lint tidy-check generate-check bicep test package ## what CI runs

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf .local dist dist.zip bench.json infra/local/node_modules
