#!/bin/sh
# Fuzzes every target, or the named ones, for 20 seconds each by default. Runs on the
# stable toolchain, without sanitizers, because jeton has no `unsafe` code.
#
#     fuzz/smoke.sh [SECONDS [TARGET...]]
#
# A crash is kept in fuzz/artifacts/TARGET. Copy it to fuzz/seeds/TARGET and name it
# for what it found; tests/fuzz_seeds.rs then replays it in every test run.
set -eu
seconds=${1:-20}
[ $# -eq 0 ] || shift
cd "$(dirname "$0")/.."

if ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install cargo-fuzz --version 0.13.2 --locked
fi
for target in ${*:-$(cargo fuzz list)}; do
    mkdir -p "fuzz/corpus/$target"
    log="fuzz/corpus/$target.log"
    if cargo fuzz run -s none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len=4096 >"$log" 2>&1
    then
        echo "$target: $(grep '^Done ' "$log")"
    else
        tail -n 60 "$log" >&2
        echo "$target: failed; the whole log is in $log" >&2
        exit 1
    fi
done
