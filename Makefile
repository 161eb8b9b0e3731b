# thingd. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.SHELLFLAGS := -eu -c

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.release=$(VERSION)
LINT := bin/tools/golangci-lint
ARGS ?=
PKG ?= ./...

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Start the server (ARGS="--dev" passes options)
	bin/thingd serve $(ARGS)

.PHONY: build
build: console ## Make bin/thingd, with the console where Node.js is installed
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/thingd ./cmd/thingd

.PHONY: console
console: ## Build the console's files, which the next build of the binary takes in
	scripts/console.sh

.PHONY: test
test: ## All that CI asks: generated code, vet, tests on both databases, e2e, short fuzzing
	scripts/test.sh

.PHONY: unit
unit: ## Tests alone, on SQLite unless THINGD_TEST_POSTGRES names a server (PKG=./internal/db)
	go test $(PKG)

.PHONY: test-console
test-console: ## Test the console: types, unit tests, every screen in Chromium (ARGS=seed003)
	scripts/test-console.sh $(ARGS)

.PHONY: race
race: ## Tests under the race detector (PKG=./internal/server)
	go test -race $(PKG)

.PHONY: lint
lint: $(LINT) ## Lint all packages, and build them for other systems
	$(LINT) run ./...
	for os in darwin freebsd windows; do GOOS=$$os CGO_ENABLED=0 go build ./...; done

.PHONY: fmt
fmt: $(LINT) ## Format all files
	$(LINT) fmt ./...
	gofmt -w tools/awsgen

.PHONY: generate
generate: ## Make generated code and documents anew
	go -C tools run ./awsgen
	go generate ./...

.PHONY: bench
bench: build ## Measure the binary beside its goals and peers
	go run ./bench $(ARGS)

.PHONY: fuzz
fuzz: ## Fuzz every target, FUZZTIME each (default 5m)
	scripts/fuzz.sh $${FUZZTIME:-5m}

.PHONY: soak
soak: build ## Run the tests again and again under the race detector for SOAKTIME (default 1h)
	scripts/soak.sh $${SOAKTIME:-1h}

.PHONY: cover
cover: ## Coverage of the tests: cover.html, and the total
	go test -coverpkg=./internal/... -coverprofile=cover.out ./...
	go tool cover -html=cover.out -o cover.html
	go tool cover -func=cover.out | tail -n 1

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin cover.out cover.html internal/console/web/node_modules
	find internal/console/dist -type f ! -name .gitignore -delete

# The linter of tools/go.mod.
$(LINT): tools/go.mod tools/go.sum
	@mkdir -p bin/tools
	go -C tools build -o ../$(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $(LINT)
