#!/usr/bin/env bash
# Installs what the tests need and runs all of them: those of `cargo test`, those that it ignores because they need other
# servers, Python, the Python TaskCat, cfn-lint or a browser, then the sources of credentials beside boto3, clients that others
# wrote against the simulator, the short form of the campaign of random kills and faults, the documentation as a book,
# and linters of workflows. Arguments go to `cargo test`; with any, it alone is run.
#
# Tests that need what can't be installed here are left out, and a line says so: real projects in ../shared/corpus, a Docker
# engine, a user other than root. Everything else fails where what it needs is missing.
#
# Everything that is missing is checked for before anything is built. System packages are installed with apt-get where this
# user may; elsewhere one line says what to install. Steps that need the network say so. CHROMIUM=/path/to/chromium chooses
# another browser.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "tests/run.sh: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
has_python() { "${PYTHON:-python3}" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

browser() {
  local name
  for name in "${CHROMIUM:-/usr/bin/chromium}" chromium chromium-browser google-chrome; do
    # Ubuntu's package of that name is a script that asks for a snap.
    if has "$name" && "$name" --version >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
  return 1
}

# The Debian packages of what is missing.
missing() {
  if ! has cc; then echo build-essential; fi
  if ! has git; then echo git; fi
  if ! has script; then echo bsdutils; fi
  if ! has_python; then echo python3-venv; fi
  if ! browser >/dev/null; then echo chromium; fi
  # They load the completions and the manual page.
  for name in fish mandoc zsh; do
    if ! has "$name"; then echo "$name"; fi
  done
  # Images are built as root alone, with a shell that needs no libraries.
  if [ "$(id -u)" -eq 0 ]; then
    if ! has podman; then echo podman; fi
    if ! [ -x /bin/busybox ] || ldd /bin/busybox >/dev/null 2>&1; then echo busybox-static; fi
  fi
}

if ! has cargo; then
  say "cargo was not found: install Rust 1.95 or newer (https://rustup.rs)"
  exit 1
fi
packages=$(missing)
packages=${packages//$'\n'/ }
if [ -n "$packages" ]; then
  apt=(apt-get)
  if [ "$(id -u)" -ne 0 ]; then apt=(sudo -n apt-get); fi
  if has apt-get && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
    say "installing $packages with apt-get (needs the network)"
    # shellcheck disable=SC2086  # several packages
    if ! { "${apt[@]}" update -qq && DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y -qq $packages; } >&2; then
      say "apt-get could not install $packages: is there a network?"
      exit 1
    fi
    packages=$(missing)
    packages=${packages//$'\n'/ }
  fi
  if [ -n "$packages" ]; then
    say "missing: $packages (on Debian: apt-get install $packages; CHROMIUM and PYTHON choose other programs)"
    exit 1
  fi
fi
CHROMIUM=$(browser)
export CHROMIUM

tests/setup.sh
if ! cargo fetch --locked --offline >/dev/null 2>&1; then
  say "downloading crates (needs the network)"
  cargo fetch --locked --quiet || { say "crates could not be downloaded: is there a network?"; exit 1; }
fi

# Tests that show something to people and check nothing.
skip=(--skip for_the_eye)
leave_out() {
  say "leaving out the tests named *$1*: $2"
  skip+=(--skip "$1")
}
if ! [ -d ../shared/corpus ] && ! [ -d ../../shared/corpus ]; then leave_out corpus "there is no ../shared/corpus"; fi
if ! docker info >/dev/null 2>&1; then leave_out docker_engine "there is no Docker engine"; fi
if [ "$(id -u)" -ne 0 ]; then
  leave_out podman "images are built as root alone"
elif ! unshare --mount sh -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup' 2>/dev/null; then
  leave_out podman "control groups cannot be mounted here"
fi
if [ "$(id -u)" -eq 0 ]; then leave_out users_but_root "this is root, who may read everything"; fi

# What follows `--` goes to the test binaries.
separator=(--)
for argument in "$@"; do
  if [ "$argument" = -- ]; then separator=(); fi
done
# The end-to-end tests mostly wait for servers.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
cargo test --locked --ignore-rust-version "$@" "${separator[@]}" --include-ignored "${skip[@]}"
if [ $# -eq 0 ]; then
  tests/book.sh
  tests/workflows.sh
  tests/credentials/compare.py
  tests/clients/run.py
  tests/campaign/run.py --short
fi
