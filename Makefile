# `make test` is everything, from nothing. It needs rustup's cargo, go, gcc, curl, openssl and python3,
# and builds the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

# Warnings stop a build only where nobody sits in front of it.
ifeq ($(CI),true)
deny := -- -D warnings
endif

state := target/cluster/state

.PHONY: build test lint unit chart-test image cluster-test argocd-test node-test pods-test cluster-up cluster-down bench clean-cluster tools

build: ## the release binary: target/release/argocd-auth-webhook
	cargo build --locked --release

test: lint unit chart-test cluster-test argocd-test node-test pods-test ## everything

tools:
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

lint: tools ## formatting and clippy
	cargo fmt --check
	cargo clippy --locked --all-targets $(deny)
	cargo clippy --locked --test chart --test live $(deny)

unit: ## what needs no cluster
	cargo test --locked

chart-test: ## the Helm chart, with Helm 3 and 4, which are built the first time
	tests/chart/build-helm.sh
	cargo test --locked --test chart

image: ## target/image.tar: the image as an OCI archive, without a container engine
	tests/image/build.sh

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

cluster-down:
	tests/cluster/down.sh $(state)

bench:
	cargo bench --locked

clean-cluster: cluster-down ## takes away the built cluster as well
	rm -rf target/cluster
