# `make help` lists what there is. `make test` is everything, from nothing: it needs rustup's cargo, go,
# gcc, curl, openssl and python3, and builds the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

include release.env
export REPOSITORY IMAGE_REPOSITORY CHART_REPOSITORY

# Where the pinned toolchain can't be downloaded, an installed `stable` of its version will do.
pinned := $(shell sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
ifeq ($(shell rustc --version 2>/dev/null),)
ifneq ($(findstring rustc $(pinned) ,$(shell RUSTUP_TOOLCHAIN=stable rustc --version 2>/dev/null)),)
export RUSTUP_TOOLCHAIN := stable
endif
endif

# Warnings stop a build only where nobody sits in front of it.
ifeq ($(CI),true)
deny := -- -D warnings
endif

state := target/cluster/state

.PHONY: build dist help quick test lint lint-workflows unit chart-test goldens image push reproducible package package-dry-run sbom deny \
  cluster-test argocd-test node-test pods-test cluster-up cluster-down bench clean-cluster tools

build: ## a release binary that is quick to build: target/release/argocd-auth-webhook
	cargo build --locked --release

dist: ## the binary as it is shipped, optimised as a whole (minutes): target/dist/argocd-auth-webhook
	cargo build --locked --profile dist

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  %-16s %s\n' "$$name" "$$text"; done

quick: tools ## before each commit, under a minute when warm: formatting, clippy, unit tests
	cargo fmt --check
	cargo clippy --locked --all-targets $(deny)
	cargo test --locked --lib --bins --tests

test: lint lint-workflows unit chart-test package-dry-run cluster-test argocd-test node-test pods-test ## everything

tools:
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

lint: tools ## formatting and clippy
	cargo fmt --check
	cargo clippy --locked --all-targets $(deny)
	cargo clippy --locked --test chart --test live $(deny)

lint-workflows: ## .github/workflows, with actionlint and zizmor, which are fetched the first time
	hack/lint-workflows.sh

unit: ## what needs no cluster
	cargo test --locked

chart-test: ## the Helm chart, with Helm 3 and 4, which are built the first time
	tests/chart/build-helm.sh
	cargo test --locked --test chart

goldens: ## the rendered chart in tests/chart/goldens and deploy/manifests.yaml, written again
	tests/chart/build-helm.sh
	UPDATE_GOLDENS=1 cargo test --locked --test chart

image: ## target/image.tar, an OCI archive, without a container engine; IMAGE=registry/name:tag names it
	tests/image/build.sh

push: ## target/image.tar to the registry that IMAGE=registry/name:tag names
	hack/push.sh target/image.tar

reproducible: ## builds the image twice, in two folders, and compares the digests
	tests/image/reproducible.sh

package: ## what a release publishes, for the archives in target/package: chart, krew manifest, SBOM, VEX, checksums
	hack/package.sh target/package

package-dry-run: ## the same with stand-ins for the binaries, and a look at each file
	tests/chart/build-helm.sh
	hack/package-dry-run.sh

sbom: ## target/sbom.cdx.json: what the binary is made of (CycloneDX)
	mkdir -p target
	hack/sbom.py >target/sbom.cdx.json

deny: ## the dependencies: licences, bans, sources, duplicates, advisories; builds cargo-deny first (minutes)
	hack/deny.sh

cluster-test: ## at real API servers of 1.37 and 1.24; ARGS="--nocapture NAME" goes to the test program
	tests/cluster/run.sh $(ARGS)

argocd-test: ## at a real Argo CD, which is built the first time; ARGS as above
	tests/argocd/run.sh $(ARGS)

node-test: ## the chart on a real node, as root; ARGS as above
	tests/node/run.sh $(ARGS)

pods-test: ## pods in step on a real node, as root; ARGS as above
	tests/pods/run.sh $(ARGS)

cluster-up: ## a cluster that stays, to try things in
	tests/cluster/build.sh
	tests/cluster/up.sh $(state)

cluster-down: ## takes it down
	tests/cluster/down.sh $(state)

bench: ## what a review costs
	cargo bench --locked

clean-cluster: cluster-down ## takes away the built cluster as well
	rm -rf target/cluster
