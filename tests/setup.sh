#!/usr/bin/env bash
# Makes the virtual environments that the tests, the demo and the benchmark use, under target/venvs: the two servers
# that stand in for AWS, the Python TaskCat that the runner is compared with, AWS's command line for the pipeline's
# buildspecs, checkov for its template, what drives a browser over the report, what checks files against published schemas,
# and clients that deploy to the simulator (the CDK's comes from npm). Quick when all is there. Each environment is a group
# of the project in tests/python, locked by its uv.lock.
#
#   tests/setup.sh [browser] [cdk] [checkov] [ministack] [moto] [pipeline] [pytest] [sam] [sceptre] [schemas] [taskcat]
#
# Without names it makes all of them.
set -euo pipefail
uv_version=0.13.9
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
if ! "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "setup: Python 3.11 or newer with its venv module is needed (on Debian: apt install python3-venv);" \
    "PYTHON=/path/to/python3 chooses another one" >&2
  exit 1
fi

# The schema of Jenkins's xUnit plugin for JUnit files has no home of its own on any index; pytest's sources hold a copy.
junit_schema() {
  "$1/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary pytest --dest "$1/sources" \
    pytest==8.3.5 >&2
  tar --extract --gzip --file "$1"/sources/pytest-8.3.5.tar.gz --directory "$1" --strip-components 3 \
    pytest-8.3.5/testing/example_scripts/junit-10.xsd
}

# The JSON Schema of SARIF, by OASIS: a crate generates its types from it.
sarif_schema() {
  mkdir -p "$1/sarif/src"
  : >"$1/sarif/src/lib.rs"
  cat >"$1/sarif/Cargo.toml" <<'MANIFEST'
[package]
name = "sarif"
edition = "2021"
[dependencies]
serde-sarif = { version = "=0.8.0", default-features = false }
[workspace]
MANIFEST
  cargo vendor --quiet --manifest-path "$1/sarif/Cargo.toml" "$1/sarif/vendor" >/dev/null
  cp "$1/sarif/vendor/serde-sarif/src/schema.json" "$1/sarif-2.1.0.json"
  rm -r "$1/sarif"
}

# The CDK's command line, by the Node.js of the virtual environment.
cdk_client() {
  cp tests/clients/package.json tests/clients/package-lock.json "$1"
  PATH="$1/bin:$PATH" npm --prefix "$1" ci --silent --no-audit --no-fund --ignore-scripts >&2 ||
    { echo "setup: the packages of tests/clients/package.json could not be installed: is there a network?" >&2; exit 1; }
}

mkdir -p target/venvs
# Several test binaries may come here at once: one makes, the others wait and find it made.
exec 9>target/venvs/.lock
if command -v flock >/dev/null; then flock 9; fi

[ $# -gt 0 ] || set -- browser cdk checkov ministack moto pipeline pytest sam sceptre schemas taskcat
home=$(cd target/venvs && pwd -P)

# uv reads the lock file; pip, which knows this machine's indexes and certificates, installs.
uv=$home/uv/bin/uv
if [ "$("$uv" --version 2>/dev/null | cut -d ' ' -f 2)" != $uv_version ]; then
  echo "setup: making target/venvs/uv (needs the network)" >&2
  "$python" -m venv --clear "$home/uv"
  "$home/uv/bin/pip" install --quiet --disable-pip-version-check uv==$uv_version >&2 ||
    { echo "setup: uv could not be installed: is there a network?" >&2; exit 1; }
fi

for venv in "$@"; do
  made=$home/$venv/.made
  locked=$("$uv" export --quiet --no-config --project tests/python --python "$python" --frozen --no-header \
    --only-group "$venv")
  want=$("$python" -c 'import sys; print(sys.version)'; printf '%s' "$locked")
  # The programs of a virtual environment name its path: it doesn't survive a move of the checkout.
  if [ -e "$made" ] && [ "$(cat "$made")" = "$want" ] && grep -q "^#!$home/" "$home/$venv/bin/pip"; then continue; fi
  echo "setup: making target/venvs/$venv (needs the network)" >&2
  rm -rf "${home:?}/$venv"
  "$python" -m venv "$home/$venv"
  printf '%s\n' "$locked" >"$home/$venv/requirements.txt"
  "$home/$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
    -r "$home/$venv/requirements.txt" >&2 ||
    { echo "setup: the packages of the group $venv could not be installed: is there a network?" >&2; exit 1; }
  if [ "$venv" = schemas ]; then junit_schema "$home/schemas"; sarif_schema "$home/schemas"; fi
  if [ "$venv" = cdk ]; then cdk_client "$home/cdk"; fi
  printf '%s\n' "$want" >"$made"
done
