# Sluice. `make help` lists the targets; `make demo` shows it, `make test` proves it.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

include e2e/cluster.mk
include e2e/stories.mk
include e2e/bench.mk
include e2e/demo.mk

TOOLS := target/tools/bin
export HELM ?= $(CURDIR)/$(TOOLS)/helm
export SLUICE_TOOLS ?= $(CURDIR)/$(TOOLS)

.PHONY: help demo test check fmt lint unit sim charts deny generate generated api e2e stories bench readme

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

# Root is needed for the cluster anyway: what a test would leave out without it must not be left out here.
test: export REQUIRE_ROOT_TESTS := 1
test: check fuzz api stores sim-long install ## Everything: check, fuzzing, the tests against a real API server, 10,000 simulated worlds, one story a course of events
	$(MAKE) --no-print-directory stories readme

check: fmt lint unit generated ## Format, lints, unit tests, rooms, 1,000 simulated worlds, generated files
	$(MAKE) --no-print-directory charts deny

fmt:
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml

lint:
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --test stories --test bench -- -D warnings
	cargo clippy --locked --manifest-path fuzz/Cargo.toml --lib -- -D warnings

unit:
	@e2e/packages.sh
	cargo test --locked --lib --bins --test agent --test check --test cli --test sim --test source
	cargo test --locked --no-run --test bench

# What each target of fuzz/ begins with beside its own corpus.
FUZZ_SEEDS_appspec := tests/corpus/appspec
FUZZ_SECONDS ?= 10

.PHONY: fuzz
fuzz: ## Each fuzz target over its corpus, then for 10 seconds (FUZZ_SECONDS)
	@command -v cargo-fuzz >/dev/null || { echo "cargo-fuzz is not installed (cargo install cargo-fuzz --locked)"; exit 1; }
	@$(foreach target,$(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs))),\
	mkdir -p fuzz/target/corpus/$(target); \
	cargo fuzz run --sanitizer none $(target) fuzz/target/corpus/$(target) fuzz/corpus/$(target) $(FUZZ_SEEDS_$(target)) \
	-- -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -print_final_stats=1;)

.PHONY: sim-long
sim-long: ## 10,000 simulated worlds
	SIM_SEEDS=10000 cargo test --locked --test sim

charts: $(HELM)
	@e2e/packages.sh
	charts/check.sh
	docs/argocd/check.sh
	packaging/check.sh

$(HELM):
	e2e/packages.sh
	e2e/tools.sh helm

deny:
	@if command -v cargo-deny >/dev/null; then cargo fetch --locked --quiet && cargo deny --offline check bans licenses sources; \
	else echo "cargo-deny is not installed: licences and sources are not checked (cargo install cargo-deny --locked)"; fi

generate: ## Writes crds/ and the chart's copies from the kinds
	cargo run --locked --quiet --bin crdgen crds charts/sluice/crds-generated

generated: ## Fails when generated files are not fresh
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	cargo run --locked --quiet --bin crdgen "$$fresh" && \
	for copy in crds charts/sluice/crds-generated; do diff -ru "$$copy" "$$fresh" || { echo "$$copy is not fresh: run make generate"; exit 1; }; done

.PHONY: stores
stores: ## The sources of revisions against a real S3 store and a real registry
	e2e/packages.sh
	e2e/tools.sh versitygw registry
	cargo test --locked --test stores

api: tools ## The tests against a real API server
	cargo test --locked --test api -- --test-threads=14
