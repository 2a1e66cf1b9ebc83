#!/usr/bin/env bash
# Shows that `cargo test` needs a Rust toolchain and nothing else: builds the tests, then runs them without a network and
# without Python, pip, Node.js, a browser, Docker, cfn-lint and the AWS CLI on PATH. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --locked --ignore-rust-version --no-run "$@"

# Links to all programs on PATH but these.
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
declare -A found
IFS=: read -ra folders <<<"$PATH"
for folder in "${folders[@]}"; do
  for program in "$folder"/*; do
    name=${program##*/}
    case $name in
    python* | pip* | pypy* | pyenv* | node* | npm* | npx* | chrom* | google-chrome* | firefox* | docker* | podman* | cfn-lint* | aws | sam | cdk)
      continue
      ;;
    esac
    if [ -x "$program" ] && [ -f "$program" ]; then found[$name]=${found[$name]:-$program}; fi
  done
done
ln -s -t "$programs" "${found[@]}"

isolated=(unshare --net)
if [ "$(id -u)" -ne 0 ]; then isolated=(unshare --map-root-user --net); fi
if ! "${isolated[@]}" true 2>/dev/null; then
  echo "tests/hermetic.sh: the network can't be taken away here (unshare is not permitted); only programs are" >&2
  isolated=()
fi
# shellcheck disable=SC2016  # the inner shell's
PATH=$programs "${isolated[@]}" sh -c 'ip link set lo up; exec cargo test --locked --ignore-rust-version --offline "$@"' sh "$@"
