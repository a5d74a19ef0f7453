# Every target says what it does: `make help`.
CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help run build test test-core simulate e2e chaos lint house floor fmt fmt-check doc vectors \
        fuzz fuzz-smoke snapshots load scaling bench deny check clean

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## build, and run the demo: links that work, on this machine
	$(CARGO) build --release --locked
	./target/release/jeton demo

build: ## build the program: target/release/jeton
	$(CARGO) build --release --locked

test: ## everything: unit, properties, vectors, crashes, simulation, e2e with openvpn and Chromium
	tests/e2e/install.sh
	$(CARGO) test --locked
	$(MAKE) --no-print-directory simulate
	$(MAKE) --no-print-directory e2e

test-core: ## the fast loop: the pure floor only
	$(CARGO) test --locked --no-default-features

simulate: ## 10,000 nights of failing nodes, disks, wires and clocks: make simulate FIRST=10000 SEEDS=50000
	JETON_FIRST_SEED=$(or $(FIRST),0) JETON_SEEDS=$(or $(SEEDS),10000) $(CARGO) test --locked \
	    --profile simulation --no-default-features --features raft --lib whatever_fails

e2e: ## the running program against real openvpn, easy-rsa, curl, openssl, Chromium
	tests/e2e/install.sh
	$(CARGO) build --locked
	tests/e2e/run.sh

chaos: ## three nodes under 200 faults each on a good and a bad network (root; some minutes)
	tests/e2e/install.sh
	$(CARGO) build --locked
	CHAOS_FAULTS=$(or $(FAULTS),200) CHAOS_TOKENS=$(or $(TOKENS),10000) tests/e2e/run.sh test_chaos

lint: ## clippy on all feature sets, no warning allowed; and house
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features --features raft -- -D warnings
	$(MAKE) --no-print-directory house

house: ## type names that several types share, import circles, long functions: with limits
	$(CARGO) run --locked --quiet --no-default-features --example house

floor: ## the pure floor builds without tokio, actix, rustls, moka or clap
	$(CARGO) check --locked --lib --no-default-features
	@! $(CARGO) tree --locked --no-default-features -e normal --prefix none | \
	    grep -E '^(tokio|actix-[a-z]+|rustls|moka|clap) ' || \
	    { echo 'the pure floor depends on the above'; exit 1; }

fmt: ## format the sources
	$(CARGO) fmt --all

fmt-check: ## tell whether the sources are formatted
	$(CARGO) fmt --all --check

doc: ## the documentation, no warning allowed
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items

vectors: ## write the token vectors anew; they must not change
	$(CARGO) run --locked --quiet --no-default-features --example generate-vectors
	git diff --exit-code tests/vectors

fuzz: ## one target for S seconds: make fuzz T=token_text S=60
	fuzz/smoke.sh $(or $(S),60) $(T)

fuzz-smoke: ## each fuzz target for 20 seconds
	fuzz/smoke.sh 20

snapshots: ## take what the commands print now, and the API's document, as what they should be
	SNAPSHOTS=overwrite $(CARGO) test --locked --test cli
	SNAPSHOTS=overwrite $(CARGO) test --locked --lib the_copy_in_docs_is_current

load: build ## downloads a second of one node and of three, by ApacheBench
	@command -v ab >/dev/null || { printf 'error: ab is missing\nhint: apt-get install apache2-utils\n'; exit 1; }
	tests/e2e/install.sh
	JETON=$$PWD/target/release/jeton tests/e2e/.venv/bin/python -B tests/e2e/load.py

scaling: ## what a group of nodes carries, simulated from measured costs
	$(CARGO) run --release --locked --quiet --example scaling

bench: ## speed, side by side with what bounds it
	$(CARGO) bench --locked

deny: ## licences, bans and sources of the dependencies (needs cargo-deny)
	$(CARGO) deny --locked check bans licenses sources

check: fmt-check lint floor doc test ## the one command before "done"

clean: ## remove what was built
	$(CARGO) clean
