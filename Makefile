# Every target can be run again; what is missing is installed into the checkout first. `make help` lists them.

SHELL := bash
export PATH := $(CURDIR)/bin:$(PATH)
.DEFAULT_GOAL := help

TESTS := build contracts tools rust
CHECKS := fmt-solidity lint-solidity warnings sizes fmt-rust clippy abi gas deny slither

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## check the tools that are needed and install the rest into the checkout
	@tools/setup

build: setup ## compile the contracts and the errand binary
	bin/forge build
	cargo build --locked --release -p errand

test: setup ## run every test
	@tools/run $(TESTS)

check: setup ## run what else a change has to pass: format, lint, warnings, sizes, ABI drift, gas
	@tools/run $(CHECKS)

test-the-tests: setup ## plant faults in a small project and see that test and check turn red
	@tools/test-the-tests

fmt: setup ## format everything
	bin/forge fmt
	cargo fmt --all

abi: setup ## write abi/ from the contracts
	@tools/abi

gas: setup ## measure the gas of test/gas into .gas-snapshot and snapshots/
	@tools/gas

demo: build ## deploy to a local chain, register Requests and let keepers execute them
	@tools/demo

demo-upgrade: build ## upgrade a project on a local chain, through bundles that keepers execute
	@tools/demo-upgrade

deploy-local: setup ## deploy to http://127.0.0.1:8545, starting anvil there if nothing is
	@tools/deploy-local

clean: ## remove what was built and the record of a local chain, and keep what was installed
	rm -rf out cache broadcast target deployments/31337.json

.PHONY: help setup build test check test-the-tests fmt abi gas demo demo-upgrade deploy-local clean
