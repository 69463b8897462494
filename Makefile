# Sluice. `make help` lists what there is. A fresh Debian machine with Go, make and git, as root, can run all of it: tools,
# Kubernetes, gateway and Prometheus are built from Go modules, and `cluster up` installs the Debian packages it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# go uses all cores by itself, and two builds at once tell their progress into one another.
.NOTPARALLEL:

# make takes a blank in a path for the end of it: `$(dir …)` would make two folders, and none of them the right one.
ifneq ($(words $(CURDIR)),1)
$(error $(CURDIR): make cannot build in a folder with a blank in its path; move the repository)
endif

GO ?= go
# Static programs, built the same everywhere. Every command shares these flags with test/cluster, so that one cache of
# compiled packages serves tests, linter, images and cluster: compiling them once more for other flags costs minutes.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(filter-out -trimpath,$(GOFLAGS)) -trimpath)

# The version in the programs, on the image and in config/install.yaml. A release changes it here.
VERSION ?= v0.1.0-dev
IMAGE ?= ghcr.io/sluice-dev/sluice:$(VERSION)
# Images of the demonstration and the end-to-end tests; they are never pushed.
APP_IMAGE ?= sluice.local/app:dev
LOAD_IMAGE ?= sluice.local/load:dev
METRICS_IMAGE ?= sluice.local/metrics:dev
LDFLAGS := -s -w -X main.version=$(VERSION)

# Where install.yaml is written.
INSTALL ?= config/install.yaml

BIN := $(CURDIR)/bin
TOOLS := $(BIN)/tools
IMAGES := $(BIN)/images
GOLANGCI := $(TOOLS)/golangci-lint --config $(CURDIR)/.golangci.yml
LAUNCHER := $(BIN)/cluster

# Build tags of the tests that need an API server or a cluster. Plain `go test ./...` leaves them out.
TEST_TAGS := apiserver,e2e

# Every module of the tree: the product's own, and those that must not pull their dependencies into it.
MODULES := $(patsubst %/,%,$(sort $(dir $(shell find . -name go.mod -not -path './bin/*'))))
# Those with Go files of ours. The others only pin versions.
CODE_MODULES := . test/tools test/cluster test/kstatus
# One main.go on top of all of Kubernetes. Linters that need types would analyse the 2,000 packages below it, in 8 GB of
# memory, so that only those that read syntax look at it; the compiler does the rest.
BIG_MODULE := test/cluster/kubernetes
# Modules with tests beside the product's own.
TESTED_MODULES := test/tools test/cluster test/kstatus

# What `make generate` writes.
GENERATED := api/v1alpha1/zz_generated.deepcopy.go config/crd config/install.yaml

say = @printf '\n==> %s\n' '$(1)'
# $(call build,name,package,output[,flags[,module folder]]) builds a program and tells how it is going, on the error output:
# `$(make -s assets)` is a folder and nothing else, also when the launcher has to be built first.
build = mkdir -p $(dir $(3)) && $(GO) build -C $(or $(5),.) -v -o $(3) $(4) $(2) 2>&1 | awk -v what='$(1)' -f test/tools/progress.awk >&2

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z0-9.-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Try it

# `make demo KUBECONFIG=… LOAD=…` uses a cluster of yours. A KUBECONFIG of the environment does not count: what it
# points at may be somebody's production.
ifeq ($(origin KUBECONFIG),command line)
OWN_CLUSTER := yes
# A command that makes an image archive known to your cluster, such as LOAD='kind load image-archive --name dev'.
# A ~ that the shell has left is resolved here too.
OWN_KUBECONFIG := $(abspath $(wildcard $(KUBECONFIG)))
ifneq ($(words $(KUBECONFIG)) $(words $(OWN_KUBECONFIG)),1 1)
$(error KUBECONFIG=$(KUBECONFIG): there is no such file; name the one kubeconfig of your cluster, by a path without blanks, or leave it out for a local one)
endif
ifeq ($(LOAD),)
$(error KUBECONFIG is given, so LOAD is needed as well: the command that loads an image archive into that cluster, such as LOAD="kind load image-archive")
endif
KUBECTL ?= kubectl
# $(call enter,cluster) makes the cluster's addresses known to a recipe.
enter = export KUBECONFIG='$(OWN_KUBECONFIG)' KUBECTL='$(KUBECTL)'
load = for archive in $(IMAGES)/*.tar; do $(LOAD) "$$archive"; done
else
enter = export $$($(LAUNCHER) env --name $(1))
load = $(LAUNCHER) load --name $(1) $(IMAGES)/*.tar
endif

CLUSTER ?= sluice
E2E_CLUSTER ?= sluice-e2e

.PHONY: demo
demo: $(if $(OWN_CLUSTER),,cluster-up) images bin/kubectl-sluice bin/demo ## Release a good version, a bad one and a blue/green one on a real cluster.
	$(call say,load images and install Sluice)
	@$(call enter,$(CLUSTER)); $(call load,$(CLUSTER)); $(install-sluice)
	@$(call enter,$(CLUSTER)); $(BIN)/demo -app-image $(APP_IMAGE) -load-image $(LOAD_IMAGE) $(demo-flags)

# What a cluster of yours may need besides: see README.md.
demo-flags = $(if $(OWN_CLUSTER),-path $(BIN),-path "$(BIN):$$(dirname $$KUBECTL)") \
	$(if $(GATEWAY_CLASS),-gateway-class $(GATEWAY_CLASS)) $(if $(GATEWAY_PORT),-gateway-port $(GATEWAY_PORT)) \
	-gateway "$(if $(OWN_CLUSTER),$(GATEWAY_ADDRESS),$$GATEWAY_INSIDE)" $(if $(WINDOW),-window $(WINDOW)) $(DEMO_FLAGS)

.PHONY: demo-down
demo-down: cluster-down ## Take the demonstration's cluster down.

.PHONY: cluster-up
cluster-up: bin/cluster ## Start a cluster (CLUSTER=name), or make it whole again.
	@$(LAUNCHER) up --name $(CLUSTER)

.PHONY: cluster-down
cluster-down: bin/cluster ## Take a cluster (CLUSTER=name) down and leave nothing of it.
	@$(LAUNCHER) down --name $(CLUSTER)

# A sed command that puts IMAGE into the manifests, which name the image of a release.
with-image = s|^\( *image: \)ghcr.io/sluice-dev/sluice:.*|\1$(IMAGE)|

# The image that was built and loaded is the one to run, whatever IMAGE or VERSION call it. It keeps its name between two
# builds, so that only a restart makes the pod run the new one.
define install-sluice
sed -e '$(with-image)' -e "/name: PROMETHEUS_ADDRESS/{n;s|value: .*|value: \"$${PROMETHEUS_INSIDE:-$(PROMETHEUS_ADDRESS)}\"|}" $(INSTALL) | \
	$$KUBECTL apply --server-side --force-conflicts -f -; \
$$KUBECTL -n sluice-system rollout restart deployment/sluice-controller; \
$$KUBECTL -n sluice-system rollout status deployment/sluice-controller --timeout 3m
endef

##@ Build it

.PHONY: build
build: bin/sluice bin/kubectl-sluice ## Build bin/sluice and bin/kubectl-sluice for this machine.

# go build knows what is up to date, so that these are asked for every time.
.PHONY: bin/sluice bin/kubectl-sluice bin/demo bin/cluster
bin/sluice bin/kubectl-sluice:
	@$(call build,$(@F),./cmd/$(@F),$(CURDIR)/$@,-ldflags '$(LDFLAGS)')
bin/demo:
	@$(call build,demo,./test/demo,$(CURDIR)/$@)
bin/cluster:
	@$(call build,cluster,.,$(CURDIR)/$@,,test/cluster)

# Certificate authorities for a Prometheus behind https: this machine's, as Debian and most others keep them, or none.
CERTIFICATES ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)
with-certificates = $(if $(CERTIFICATES),--certificates $(CERTIFICATES))

.PHONY: image
image: bin/cluster ## Write the controller's image, without a container engine, as an OCI archive and for docker load.
	@$(call pack,sluice,./cmd/sluice,$(IMAGE),-ldflags '$(LDFLAGS)',$(with-certificates))
	@$(LAUNCHER) image --oci --binary $(BIN)/linux/sluice --name $(IMAGE) --out $(BIN)/sluice-oci.tar $(with-certificates)
	@echo "as an OCI archive: $(BIN)/sluice-oci.tar"

.PHONY: images
images: image
	@$(call pack,app,./test/app,$(APP_IMAGE),-ldflags '-s -w')
	@$(call pack,load,./test/load,$(LOAD_IMAGE),-ldflags '-s -w')

.PHONY: metrics-image
metrics-image: bin/cluster
	@$(call pack,metrics,./test/metrics,$(METRICS_IMAGE),-ldflags '-s -w')

# $(call pack,name,package,image,flags[,flags of the image]) builds a static program and makes an image of it.
define pack
export GOOS=linux; $(call build,$(1) for linux,$(2),$(BIN)/linux/$(1),$(4)); \
mkdir -p $(IMAGES); $(LAUNCHER) image --binary $(BIN)/linux/$(1) --name $(3) --out $(IMAGES)/$(1).tar $(5); \
echo "image $(3): $(IMAGES)/$(1).tar"
endef

# From top to bottom, as kubectl applies them: definitions, then the namespace, then what is in it.
MANIFESTS = $(sort $(wildcard config/crd/*.yaml)) config/manager/namespace.yaml $(sort $(wildcard config/rbac/*.yaml)) \
	$(filter-out %/namespace.yaml,$(sort $(wildcard config/manager/*.yaml)))

.PHONY: install.yaml
install.yaml: ## Write all that a cluster needs to config/install.yaml (IMAGE=… for an image of yours).
	@{ echo '# Sluice $(VERSION). Made from config/ by `make install.yaml`; change the files there, not this one.'; \
	for manifest in $(MANIFESTS); do \
		echo '---'; sed -e '/^#/d' -e '/^---$$/{1d;2d}' -e '$(with-image)' "$$manifest"; \
	done; } > $(INSTALL)

##@ Change it

.PHONY: generate
generate: $(TOOLS)/controller-gen $(TOOLS)/crdgen ## Generate deep copies, CRDs and install.yaml from the types.
	@$(TOOLS)/controller-gen object paths=./api/...
	@cd test/tools && $(TOOLS)/crdgen ../../api/v1alpha1 ../../config/crd
	@$(MAKE) --no-print-directory install.yaml

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## Format all Go code as the linter wants it.
	@for module in $(CODE_MODULES) $(BIG_MODULE); do (cd $$module && $(GOLANGCI) fmt); done

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Lint every module; .golangci.yml says what for.
	@failed=; for module in $(CODE_MODULES) $(BIG_MODULE); do \
		fast=; [ $$module != $(BIG_MODULE) ] || fast=--fast-only; \
		echo "lint $$module"; (cd $$module && $(GOLANGCI) run $$fast ./...) || failed="$$failed $$module"; \
	done; \
	[ -z "$$failed" ] || { echo "the linter found something in:$$failed"; exit 1; }

$(TOOLS)/golangci-lint: test/tools/lint/go.mod test/tools/lint/go.sum
	$(call say,build golangci-lint; a few minutes the first time)
	@$(call build,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$@,-ldflags '-s -w',test/tools/lint) && touch $@

$(TOOLS)/controller-gen: test/tools/go.mod test/tools/go.sum
	$(call say,build controller-gen)
	@$(call build,controller-gen,sigs.k8s.io/controller-tools/cmd/controller-gen,$@,,test/tools) && touch $@

$(TOOLS)/crdgen: test/tools/go.mod test/tools/go.sum $(wildcard test/tools/crdgen/*)
	@$(call build,crdgen,./crdgen,$@,,test/tools) && touch $@

##@ Prove it

.PHONY: test
test: test-unit test-apiserver ## Run all tests that need no cluster: planner, simulation, routers, providers, CLI, API server.

.PHONY: test-unit
test-unit: ## Run the tests that need nothing but Go (RACE=1 to find races; that needs gcc).
	$(if $(RACE),CGO_ENABLED=1 )$(GO) test $(if $(RACE),-race )./...
	@for module in $(TESTED_MODULES); do (cd $$module && set -x && $(GO) test ./...); done

# How long `make soak` tells stories with pairs of faults, after it has tried every fault once. It prints the seed of a run that fails.
SOAK ?= 10m

.PHONY: soak
soak: ## Simulate the controller with every fault at every write, then random pairs for SOAK=10m (SEED=n tells one run again).
	SOAK=$(SOAK) $(GO) test -count=1 -timeout 0 -run '$(if $(SEED),,TestExplore|)TestSoak' -v ./test/simulation $(if $(SEED),-args -seed $(SEED))

.PHONY: test-apiserver
test-apiserver: bin/cluster bin/sluice ## Run the tests that need etcd and an API server, which are built first.
	@assets="$$($(LAUNCHER) assets)"; set -x; \
	KUBEBUILDER_ASSETS="$$assets" SLUICE=$(BIN)/sluice $(GO) test -tags apiserver -timeout 20m ./test/apiserver/...

# `make conformance KUBECONFIG=… LOAD=… GATEWAY=infra/public GATEWAY_ADDRESS=http://192.0.2.7` tries a Gateway of yours.
.PHONY: conformance
conformance: $(if $(OWN_CLUSTER),,cluster-up) images ## Try a Gateway of your cluster (GATEWAY=namespace/name GATEWAY_ADDRESS=http://…) with real requests.
	@$(if $(GATEWAY),,echo 'write GATEWAY=namespace/name of the Gateway to try' >&2; exit 2)
	@$(call enter,$(CLUSTER)); $(call load,$(CLUSTER)); \
	$(GO) run ./test/conformance -kubeconfig "$$KUBECONFIG" -gateway $(GATEWAY) \
		-address "$(if $(OWN_CLUSTER),$(GATEWAY_ADDRESS),$$GATEWAY)" -image $(APP_IMAGE) $(CONFORMANCE_FLAGS)

# How often each benchmark repeats what it measures.
BENCHTIME ?= 20x

.PHONY: bench
bench: bin/cluster ## Measure, on an idle machine: how long an abort takes to reach the routes.
	@assets="$$($(LAUNCHER) assets)"; \
	KUBEBUILDER_ASSETS="$$assets" $(GO) test -tags apiserver ./test/apiserver/controller -run '^$$' -bench . -benchtime $(BENCHTIME)

# How many releases `make bench-analysis` simulates per setting. It takes minutes on all cores, and fails when the odds are worse
# than docs/analysis.md says.
ROLLOUTS ?= 20000

.PHONY: bench-analysis
bench-analysis: ## Simulate ROLLOUTS=20000 releases per setting: false aborts, and how soon harm is found, beside what peers do.
	@$(GO) run ./test/odds -rollouts $(ROLLOUTS)

.PHONY: bench-load
bench-load: ## Measure what 1,000 analyses cost that are measured every 15 s; fails above a tenth of a core.
	@$(GO) test ./controller/analysisrun -run '^$$' -bench ThousandRuns -benchtime $(BENCHTIME)

.PHONY: assets
assets: bin/cluster ## Build etcd and the API server, and print the folder for KUBEBUILDER_ASSETS.
	@$(LAUNCHER) assets

# Six tests at a time: they wait for pods, pauses and measurements most of the time, on two cores too.
.PHONY: e2e
e2e: bin/cluster images metrics-image bin/kubectl-sluice ## Run the end-to-end tests on a cluster of their own (KEEP=1 leaves it up, RUN=regexp picks).
	@$(if $(KEEP),,trap '$(LAUNCHER) down --name $(E2E_CLUSTER)' EXIT;) \
	$(LAUNCHER) up --name $(E2E_CLUSTER) >/dev/null; \
	export $$($(LAUNCHER) env --name $(E2E_CLUSTER)); \
	$(LAUNCHER) load --name $(E2E_CLUSTER) $(IMAGES)/*.tar; $(install-sluice); \
	LAUNCHER=$(LAUNCHER) KUBECTL_SLUICE=$(BIN)/kubectl-sluice APP_IMAGE=$(APP_IMAGE) LOAD_IMAGE=$(LOAD_IMAGE) \
		METRICS_IMAGE=$(METRICS_IMAGE) $(GO) test -tags e2e ./test/e2e -count=1 -timeout 40m -parallel 6 -v $(if $(RUN),-run '$(RUN)') || { \
		status=$$?; \
		echo '==> the last that the controller said'; \
		$$KUBECTL -n sluice-system logs deployment/sluice-controller --tail=100 || true; \
		exit $$status; }

# Two at a time. On two cores this takes some minutes, nearly all of them in the compiler.
.PHONY: mutants
mutants: ## Take each protection out of the code, and see that its test misses it (RUN=regexp picks).
	@$(GO) run ./test/mutants $(if $(RUN),-run '$(RUN)')

.PHONY: verify
verify: verify-modules verify-generated vet lint ## Fail on any difference: generated files, modules, format, linter.

.PHONY: verify-modules
verify-modules:
	$(call say,go.mod and go.sum of every module are tidy)
	@for module in $(MODULES); do echo "tidy $$module"; (cd $$module && $(GO) mod tidy -diff); done

.PHONY: verify-generated
verify-generated: $(TOOLS)/controller-gen $(TOOLS)/crdgen
	$(call say,generated files are what the generators write)
	@digest() { find $(GENERATED) -type f -exec sha256sum {} + | sort -k 2; }; \
	before="$$(digest)"; $(MAKE) --no-print-directory generate; after="$$(digest)"; \
	changed="$$(diff <(echo "$$before") <(echo "$$after") | awk '/^[<>]/ { print "  " $$3 }' | sort -u)" || true; \
	[ -z "$$changed" ] || { printf 'these were out of date, and are not any more; commit them:\n%s\n' "$$changed"; exit 1; }

.PHONY: vet
vet:
	$(call say,go vet)
	$(GO) vet -tags $(TEST_TAGS) ./...
	@for module in $(filter-out .,$(CODE_MODULES)); do (cd $$module && set -x && $(GO) vet ./...); done
