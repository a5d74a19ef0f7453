# `make help` lists the targets.
CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help run build test test-core simulate e2e chaos lint house floor fmt fmt-check doc vectors \
        fuzz fuzz-smoke snapshots load scaling bench deny check clean

help: ## list the targets
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## build jeton and run its demo: working links on this machine
	$(CARGO) build --release --locked
	./target/release/jeton demo

build: ## build target/release/jeton
	$(CARGO) build --release --locked

test: ## run everything: unit, property, vector and crash tests, simulation, e2e
	tests/e2e/install.sh
	$(CARGO) test --locked
	$(MAKE) --no-print-directory simulate
	$(MAKE) --no-print-directory e2e

test-core: ## run the tests of the pure core: the fast loop
	$(CARGO) test --locked --no-default-features

simulate: ## 10,000 simulated runs with failing nodes, disks, networks and clocks: make simulate FIRST=10000 SEEDS=50000
	JETON_FIRST_SEED=$(or $(FIRST),0) JETON_SEEDS=$(or $(SEEDS),10000) $(CARGO) test --locked \
	    --profile simulation --no-default-features --features raft --lib simulated_faults_never

e2e: ## test the running program with real openvpn, easy-rsa, curl, openssl, Chromium
	tests/e2e/install.sh
	$(CARGO) build --locked
	tests/e2e/run.sh

chaos: ## run three nodes under 200 faults, on a good and on a bad network (root; some minutes)
	tests/e2e/install.sh
	$(CARGO) build --locked
	CHAOS_FAULTS=$(or $(FAULTS),200) CHAOS_TOKENS=$(or $(TOKENS),10000) tests/e2e/run.sh test_chaos

lint: ## run clippy on all feature sets, and `make house`; warnings are errors
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features --features raft -- -D warnings
	$(MAKE) --no-print-directory house

house: ## check the source tree: no import circles, no long functions, few shared type names
	$(CARGO) run --locked --quiet --no-default-features --example house

floor: ## check that the pure core builds without tokio, actix, rustls, moka or clap
	$(CARGO) check --locked --lib --no-default-features
	@! $(CARGO) tree --locked --no-default-features -e normal --prefix none | \
	    grep -E '^(tokio|actix-[a-z]+|rustls|moka|clap) ' || \
	    { echo 'the pure core depends on the above'; exit 1; }

fmt: ## format the sources
	$(CARGO) fmt --all

fmt-check: ## check the format of the sources
	$(CARGO) fmt --all --check

doc: ## build the documentation; warnings are errors
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items

vectors: ## regenerate the token vectors and check that they did not change
	$(CARGO) run --locked --quiet --no-default-features --example generate-vectors
	git diff --exit-code tests/vectors

fuzz: ## run one fuzz target for S seconds: make fuzz T=token_text S=60
	fuzz/smoke.sh $(or $(S),60) $(T)

fuzz-smoke: ## run each fuzz target for 20 seconds
	fuzz/smoke.sh 20

snapshots: ## accept the current output of the commands and the current OpenAPI document
	SNAPSHOTS=overwrite $(CARGO) test --locked --test cli
	SNAPSHOTS=overwrite $(CARGO) test --locked --lib the_copy_in_docs_is_current

load: build ## measure downloads per second of one node and of three, with ApacheBench
	@command -v ab >/dev/null || { printf 'error: ab is missing\nhint: apt-get install apache2-utils\n'; exit 1; }
	tests/e2e/install.sh
	JETON=$$PWD/target/release/jeton tests/e2e/.venv/bin/python -B tests/e2e/load.py

scaling: ## simulate the capacity of a group of nodes from measured costs
	$(CARGO) run --release --locked --quiet --example scaling

bench: ## measure jeton next to its lower bounds
	$(CARGO) bench --locked

deny: ## check licenses, bans and sources of the dependencies (needs cargo-deny)
	$(CARGO) deny --locked check bans licenses sources

check: fmt-check lint floor doc test ## run everything that CI runs

clean: ## remove build output
	$(CARGO) clean
