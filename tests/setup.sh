#!/usr/bin/env bash
# Makes the virtual environments that the tests, the demo and the benchmark use, under target/venvs: the two servers
# that stand in for AWS, the Python TaskCat that the runner is compared with, and what drives a browser over the report.
# Quick when all is there.
#
#   tests/setup.sh [browser] [ministack] [moto] [taskcat]      without names: all four
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
if ! "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "setup: Python 3.11 or newer with its venv module is needed (on Debian: apt install python3-venv);" \
    "PYTHON=/path/to/python3 chooses another one" >&2
  exit 1
fi

mkdir -p target/venvs
# Several test binaries may come here at once: one makes, the others wait and find it made.
exec 9>target/venvs/.lock
if command -v flock >/dev/null; then flock 9; fi

[ $# -gt 0 ] || set -- browser ministack moto taskcat
for venv in "$@"; do
  requirements=tests/requirements/$venv.txt
  made=target/venvs/$venv/.made
  want=$("$python" -c 'import sys; print(sys.version)'; cat "$requirements")
  if [ -e "$made" ] && [ "$(cat "$made")" = "$want" ]; then continue; fi
  echo "setup: making target/venvs/$venv" >&2
  rm -rf "target/venvs/$venv"
  "$python" -m venv "target/venvs/$venv"
  "target/venvs/$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$requirements" >&2
  printf '%s\n' "$want" >"$made"
done
