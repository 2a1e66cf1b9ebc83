#!/usr/bin/env bash
# Checks that the program compiles for Windows and macOS. That needs their Rust libraries (`rustup target add`, which needs
# the network), but no C compiler and linker of theirs: crates with C code get programs that produce nothing. Arguments are
# targets; without any, Windows and macOS on ARM.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then set -- x86_64-pc-windows-gnu aarch64-apple-darwin; fi
for target in "$@"; do
  rustup target list --installed | grep -qx "$target" || rustup target add "$target"
  name=${target//-/_}
  export "CC_$name=$PWD/tests/cross/cc" "CXX_$name=$PWD/tests/cross/cc" "AR_$name=$PWD/tests/cross/ar"
  cargo check --locked --ignore-rust-version --lib --bins --target "$target"
done
