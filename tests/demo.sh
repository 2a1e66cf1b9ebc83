#!/usr/bin/env bash
# The main job on a machine without an AWS account: sets up what is missing, starts ministack on a free loopback port,
# tests fixtures/projects/sample against it, and says where the report stands. Arguments go to `taskcat test run`.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

tests/setup.sh ministack
cargo build --locked --ignore-rust-version

python=$root/target/venvs/ministack/bin/python
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# The server lives for as long as file descriptor 3 is open, so no longer than this script.
exec 3> >("$python" tests/python/serve.py ministack "$port" 2>/dev/null)
for _ in $(seq 300); do
  if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  sleep 0.1
done

export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
unset AWS_PROFILE AWS_SESSION_TOKEN
# pip, which packages one of the Lambda functions, comes with the virtual environment.
export PATH=$PATH:$root/target/venvs/ministack/bin

cd fixtures/projects/sample
status=0
cargo run --locked --ignore-rust-version --quiet --manifest-path "$root/Cargo.toml" -- test run "$@" 3>&- || status=$?
echo "The report: $PWD/taskcat_outputs/index.html"
exit "$status"
