#!/usr/bin/env bash
# Sets up what the tests need and runs all of them: unit tests, then the end-to-end tests against both servers, beside the
# Python TaskCat and in a browser (/usr/bin/chromium). Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/setup.sh
# The end-to-end tests mostly wait for servers.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
exec cargo test --locked "$@"
