#!/usr/bin/env bash
# Makes the pictures of README and docs again: the terminal during a run, and its report. Both are of a real run of
# fixtures/projects/first-run in the simulator. Needs Chromium (CHROMIUM=/path chooses one), and the network once.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.8.2
venv=target/venvs/pictures
if ! "$venv/bin/python" -c "from importlib.metadata import version; exit(version('pyte') != '$version')" 2>/dev/null; then
  echo "pictures: installing pyte $version in $venv (needs the network)" >&2
  "${PYTHON:-python3}" -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "pyte==$version"
fi
cargo build --quiet --locked --ignore-rust-version

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cp -r fixtures/projects/first-run/. "$project"
"$venv/bin/python" tests/python/terminal_picture.py "$PWD/target/debug/taskcat" "$project" docs/pictures/terminal.svg

"${CHROMIUM:-/usr/bin/chromium}" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1200,900 \
  --user-data-dir="$project/.chromium" --screenshot="$PWD/docs/pictures/report.png" \
  "file://$project/taskcat_outputs/index.html" 2>/dev/null
ls -l docs/pictures
