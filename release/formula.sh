#!/usr/bin/env bash
# Fills in the formula for Homebrew: release/formula.sh VERSION HOMEPAGE FOLDER
#
# HOMEPAGE is the repository's address, whose releases have the archives; FOLDER has their checksums. Prints the formula.
set -euo pipefail

if [ $# -ne 3 ]; then
  echo "usage: release/formula.sh VERSION HOMEPAGE FOLDER" >&2
  exit 2
fi
formula=$(<"$(dirname "$0")/taskcat.rb")
formula=${formula//@VERSION@/$1}
formula=${formula//@HOMEPAGE@/$2}
for target in {aarch64,x86_64}-{apple-darwin,unknown-linux-musl}; do
  read -r checksum _ <"$3/taskcat-$target.tar.gz.sha256"
  formula=${formula//@SHA256:$target@/$checksum}
done
# The first line is about the template.
printf '%s\n' "${formula#*$'\n'}"
