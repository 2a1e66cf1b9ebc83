#!/usr/bin/env bash
# The steps of action.yml: release/action.sh install|run
#
# install puts taskcat on PATH: the program of a release of the repository that the action is from, whose checksum is
# verified, or one that is built from the action's own source if there is no such release. run runs it, and leaves its exit
# code and the directory of the report to later steps. All inputs are environment variables.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)

target() {
  local machine
  case ${RUNNER_ARCH:-$(uname -m)} in
  X64 | x86_64) machine=x86_64 ;;
  ARM64 | aarch64 | arm64) machine=aarch64 ;;
  *) return 1 ;;
  esac
  case ${RUNNER_OS:-$(uname -s)} in
  Linux) echo "$machine-unknown-linux-musl" ;;
  macOS | Darwin) echo "$machine-apple-darwin" ;;
  Windows) echo "$machine-pc-windows-msvc" ;;
  *) return 1 ;;
  esac
}

# Downloads the archive for this machine and its checksum.
download() {
  local archive=taskcat-$1.tar.gz releases=$SERVER_URL/$REPOSITORY/releases
  case $1 in *-windows-*) archive=taskcat-$1.zip ;; esac
  local from=$releases/latest/download
  if [ -n "${VERSION:-}" ]; then from=$releases/download/v${VERSION#v}; fi
  curl --silent --fail --location --retry 3 --remote-name "$from/$archive" || return
  curl --silent --fail --location --retry 3 --remote-name "$from/$archive.sha256" || return
  if command -v sha256sum >/dev/null; then
    sha256sum --check --quiet "$archive.sha256" >&2 || exit
  else
    shasum -a 256 --check --quiet "$archive.sha256" >&2 || exit
  fi
  # The tar of Windows reads zip, too.
  case $archive in
  *.zip) "${SYSTEMROOT:-}/System32/tar.exe" -xf "$archive" ;;
  *) tar -xzf "$archive" ;;
  esac
}

install() {
  local folder=$RUNNER_TEMP/taskcat machine
  mkdir -p "$folder"
  cd "$folder"
  if machine=$(target) && [ -n "${REPOSITORY:-}" ] && download "$machine"; then
    cp "taskcat-$machine"/taskcat* .
  elif [ -n "${VERSION:-}" ]; then
    echo "::error::taskcat has no release ${VERSION#v} for this machine"
    exit 1
  else
    echo "::notice::taskcat has no release for this machine yet; building it from its source"
    cargo install --quiet --locked --ignore-rust-version --path "$root" --bin taskcat --root "$folder/built"
    cp "$folder/built/bin"/taskcat* .
  fi
  echo "$folder" >>"$GITHUB_PATH"
  ./taskcat --version
}

run() {
  local arguments=() status=0
  # Quotes are understood; nothing is expanded.
  while IFS= read -r argument; do arguments+=("$argument"); done < <(xargs -n 1 printf '%s\n' <<<"${ARGUMENTS:-}")
  taskcat "${arguments[@]}" || status=$?
  echo "exit-code=$status" >>"$GITHUB_OUTPUT"
  exit "$status"
}

case ${1:-} in
install | run) "$1" ;;
*)
  echo "usage: release/action.sh install|run" >&2
  exit 2
  ;;
esac
