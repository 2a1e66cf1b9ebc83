#!/usr/bin/env bash
# Packs a program for a release: release/archive.sh TARGET PROGRAM [FOLDER]
#
# Writes taskcat-TARGET.tar.gz (for Windows .zip) and its checksum to FOLDER, dist by default. `cargo binstall`, the formula
# for Homebrew and the action for GitHub find the archives by these names.
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: release/archive.sh TARGET PROGRAM [FOLDER]" >&2
  exit 2
fi
target=$1 program=$2 folder=${3:-dist}
root=$(cd "$(dirname "$0")/.." && pwd)
name=taskcat-$target
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT

mkdir "$staged/$name"
cp "$program" "$root/LICENSE" "$root/README.md" "$staged/$name"
cd "$staged"
case $target in
*-windows-*)
  archive=$name.zip
  if command -v 7z >/dev/null; then 7z a -bso0 "$folder/$archive" "$name"; else zip -qr "$folder/$archive" "$name"; fi
  ;;
*)
  archive=$name.tar.gz
  tar -czf "$folder/$archive" "$name"
  ;;
esac
cd "$folder"
if command -v sha256sum >/dev/null; then
  sha256sum "$archive" >"$archive.sha256"
else
  shasum -a 256 "$archive" >"$archive.sha256"
fi
echo "$folder/$archive"
