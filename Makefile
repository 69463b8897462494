# Sluice. `make help` lists what there is; a fresh Debian machine with Go, make and git, as root, can run all of it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO ?= go
# Static programs, built the same everywhere. Every command shares these, so that one cache of compiled packages serves
# tests, linter, images and cluster: compiling client-go a second time for another flag costs two minutes on two cores.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

# The version in the programs, on the image and in config/install.yaml. A release changes it here.
VERSION ?= v0.1.0-dev
IMAGE ?= ghcr.io/sluice-dev/sluice:$(VERSION)
LDFLAGS := -s -w -X main.version=$(VERSION)

BIN := $(CURDIR)/bin
TOOLS := $(BIN)/tools
GOLANGCI := $(TOOLS)/golangci-lint
INSTALL ?= config/install.yaml
# Build tags of the tests that need an API server or a cluster. Plain `go test ./...` leaves them out.
TEST_TAGS := apiserver,e2e

# Every module of the tree: the product's own, and those that must not pull their dependencies into it.
MODULES := $(patsubst %/,%,$(sort $(dir $(shell find . -name go.mod -not -path './bin/*'))))

say = @printf '\n==> %s\n' '$(1)'
# $(call build,what,package,output,flags,module folder): builds a program and tells of the progress.
build = mkdir -p $(dir $(3)) && $(GO) build -C $(or $(5),.) -v -o $(3) $(4) $(2) 2>&1 | awk -v what=$(1) -f test/tools/progress.awk

##@ Try it

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z0-9.-]*:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Build

.PHONY: build
build: ## Build bin/sluice and bin/kubectl-sluice for this machine.
	@$(call build,sluice,./cmd/sluice,$(BIN)/sluice,-ldflags '$(LDFLAGS)')
	@$(call build,kubectl-sluice,./cmd/kubectl-sluice,$(BIN)/kubectl-sluice,-ldflags '$(LDFLAGS)')

##@ Change it

.PHONY: fmt
fmt: $(GOLANGCI) ## Format every module as the linter wants it.
	@for module in $(MODULES); do (cd $$module && $(GOLANGCI) fmt --config $(CURDIR)/.golangci.yml); done

.PHONY: lint
lint: $(GOLANGCI) ## Lint every module; .golangci.yml says what for.
	@for module in $(MODULES); do \
		echo "lint $$module"; \
		(cd $$module && $(GOLANGCI) run --config $(CURDIR)/.golangci.yml ./...) || failed=1; \
	done; [ -z "$${failed:-}" ]

$(GOLANGCI): test/tools/lint/go.mod test/tools/lint/go.sum
	$(call say,build golangci-lint: about four minutes the first time)
	@$(call build,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$@,-ldflags '-s -w',test/tools/lint)
	@touch $@
