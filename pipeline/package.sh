#!/usr/bin/env bash
# Builds the programs that the pipeline's machines run, into target/pipeline/<arch>: `taskcat` for CodeBuild, and
# `git-merge.zip`, the Lambda for the runtime provided.al2023.
#
#   pipeline/package.sh [x86_64|arm64]      x86_64, where nothing is said
#
# It needs Rust with rustup, and Python 3.11 with its venv module. Whatever the machine is, the programs are linked
# statically: one that is built for the machine's own C library starts elsewhere only if that isn't newer than the one
# there. The C compiler for that is Zig's, which comes from PyPI into a virtual environment of its own. The same sources
# make the same programs: no time and no path of this machine is in them.
set -euo pipefail
cd "$(dirname "$0")/.."

arch=${1:-x86_64}
case $arch in
  arm64) triple=aarch64-unknown-linux-musl ;;
  x86_64) triple=x86_64-unknown-linux-musl ;;
  *)
    echo "usage: pipeline/package.sh [x86_64|arm64]" >&2
    exit 2
    ;;
esac

# Zig 0.16 can't make static archives: https://github.com/aws/aws-lc-rs/issues/993
requirements=(cargo-zigbuild==0.24.1 ziglang==0.15.2)
venv=$PWD/target/venvs/zig
made=$venv/.made
if [ ! -e "$made" ] || [ "$(cat "$made")" != "${requirements[*]}" ]; then
  echo "package: making target/venvs/zig" >&2
  rm -rf "$venv"
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${requirements[@]}" >&2
  printf '%s\n' "${requirements[*]}" >"$made"
fi
if command -v rustup >/dev/null && ! rustup target list --installed | grep -qx "$triple"; then
  rustup target add "$triple" >&2
fi

built=${CARGO_TARGET_DIR:-target}/$triple/release
remap="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/taskcat"
RUSTFLAGS="${RUSTFLAGS:-} $remap" PATH="$venv/bin:$PATH" \
  "$venv/bin/cargo-zigbuild" zigbuild --release --locked --ignore-rust-version --bin taskcat --bin git-merge \
  --target "$triple" >&2

folder=target/pipeline/$arch
mkdir -p "$folder"
cp "$built/taskcat" "$folder/taskcat"
"$venv/bin/python" - "$built/git-merge" "$folder/git-merge.zip" <<'PACK'
import sys
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

binary, archive = sys.argv[1:]
entry = ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
entry.create_system = 3
entry.external_attr = 0o100755 << 16
entry.compress_type = ZIP_DEFLATED
with ZipFile(archive, "w") as zip, open(binary, "rb") as file:
    zip.writestr(entry, file.read(), compresslevel=9)
PACK
echo "$folder"
