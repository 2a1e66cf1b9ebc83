#!/usr/bin/env bash
# Sets up what the tests need and runs all of them: unit tests, then the end-to-end tests against both servers, beside the
# Python TaskCat and in a browser (/usr/bin/chromium), then clients that others wrote against the simulator, and the short
# form of the campaign of random kills and faults. Arguments go to `cargo test`; with any, it alone is run.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/setup.sh
# The end-to-end tests mostly wait for servers.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
cargo test --locked "$@"
if [ $# -eq 0 ]; then
  tests/clients/run.py
  tests/campaign/run.py --short
fi
