#!/usr/bin/env bash
# Runs the end-to-end tests against target/debug/jeton or the program in $JETON.
# Runs all tests, or those named: `run.sh test_uses`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
jeton=${JETON:-$here/../../target/debug/jeton}
[ -x "$jeton" ] || { printf 'error: %s is missing\nhint: cargo build --locked\n' "$jeton" >&2; exit 1; }
python=$here/.venv/bin/python
[ -x "$python" ] || { printf 'error: %s is missing\nhint: tests/e2e/install.sh\n' "$python" >&2; exit 1; }
JETON=$(realpath "$jeton")
export JETON
# -B: write no bytecode into the source tree.
exec "$python" -B "$here/suite.py" "$@"
