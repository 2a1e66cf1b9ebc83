#!/usr/bin/env bash
# Writes every generated file again: the JSON schemas, the recorded pages of --help, and the reference of the configuration
# in docs. The tests that run here fail without this script when a file isn't as it would be written. The tables of resource
# types have a program of their own (schemas/README.md), since they change with AWS and not with this code.
set -euo pipefail
cd "$(dirname "$0")/.."

export UPDATE_SCHEMAS=1 UPDATE_HELP=1 UPDATE_REFERENCE=1
cargo test --locked --ignore-rust-version --quiet --lib the_published_schema_is_current
cargo test --locked --ignore-rust-version --quiet --test it -- help:: configuration_reference::
git status --short -- schemas fixtures/help docs/reference
