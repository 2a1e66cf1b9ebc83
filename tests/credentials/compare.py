#!/usr/bin/env python3
"""Runs every case of `cases.py` with taskcat and with boto3 and prints a table of what each has called, as whom.

    tests/credentials/compare.py [--taskcat PATH] [NAME...]      NAMEs choose cases by a part of their name

Both run against the logging fake of `tests/python/credential_sources.py`, in a home of their own, with the same files
and variables. Every other host is behind the fake's proxy, which refuses it and writes down who wanted it, unless the case
sets proxies itself. A row is the same if both have asked the same sources in the same order and were then the same
identity at the same endpoint, or if both have failed after the same calls. A row that differs on purpose says why in
`cases.py`; one that differs without a reason, or has a reason and doesn't differ, fails the command.

Needs the virtual environments `moto` and `pipeline` of `tests/setup.sh`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The fake makes certificates, for which this environment has the means.
OWN = ROOT / "target/venvs/moto/bin/python"
if Path(sys.prefix) != OWN.parent.parent:
    os.execv(OWN, [str(OWN), *sys.argv])
sys.path.insert(0, str(ROOT / "tests/python"))
import credential_sources  # noqa: E402
from cases import CASES  # noqa: E402

PYTHON = ROOT / "target/venvs/pipeline/bin/python"
BOTO3 = Path(__file__).with_name("identify.py")


class Log(list):
    """What the fake writes a line to."""

    def write(self, line):
        self.append(json.loads(line))


class Fake:
    def __init__(self):
        self.log = Log()
        with tempfile.TemporaryDirectory() as folder:
            self.servers = credential_sources.start(self.log, folder)
            self.certificate = Path(folder, "certificate.pem").read_text()
        self.port, self.strict, self.tls = (server.server_address[1] for server in self.servers)

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


def what(call):
    """A call as the table shows it: what was asked, through what, with whose key."""
    if call["method"] == "CONNECT":
        return f"CONNECT {call['host']} ({call['via']})"
    words = [call["action"] or f"{call['method']} {call['path']}"]
    if call["action"]:
        words.append(str(call["region"]))
        arguments = {name: value for name, value in call["form"].items() if name in ARGUMENTS}
        words += [f"{name}={value}" for name, value in sorted(arguments.items())]
    if call["key"]:
        words.append(f"by {call['key']}" + (f" with {call['token']}" if call["token"] else " without token"))
    if call["via"] != "direct":
        words.append(f"via {call['via']}")
    return " ".join(words)


ARGUMENTS = {"RoleArn", "ExternalId", "DurationSeconds", "SerialNumber", "TokenCode", "WebIdentityToken"}


def calls(log):
    """Up to the first answer to who is called. Attempts that are repeated count once."""
    shown = []
    for call in log:
        text = what(call)
        if text not in shown:
            shown.append(text)
        if call["action"] == "GetCallerIdentity":
            break
    return shown


def run(case, command):
    fake = Fake()
    try:
        with tempfile.TemporaryDirectory() as home:
            home = os.path.realpath(home)
            values = {"port": fake.port, "strict": fake.strict, "tls": fake.tls, "home": home}
            values["certificate"] = fake.certificate

            def fill(text):
                for name, value in values.items():
                    text = text.replace("{" + name + "}", str(value))
                return text

            for name, content in case.get("files", {}).items():
                path = Path(home, fill(name))
                path.parent.mkdir(parents=True, exist_ok=True)
                data = content if isinstance(content, bytes) else fill(content).encode()
                path.write_bytes(data)
                path.chmod(0o755)
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": home,
                "AWS_EC2_METADATA_DISABLED": "true",
                "HTTPS_PROXY": f"http://127.0.0.1:{fake.port}",
                "HTTP_PROXY": f"http://127.0.0.1:{fake.port}",
                "NO_PROXY": "127.0.0.1,localhost,169.254.169.254",
            }
            if not case.get("no_endpoint"):
                environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{fake.port}"
            for name, value in case.get("env", {}).items():
                if value is None:
                    environment.pop(name, None)
                else:
                    environment[name] = fill(value)
            region = case.get("region", "us-east-1")
            words = [fill(word) for word in command(case, region)]
            given = {"env": environment, "cwd": home, "stdin": subprocess.DEVNULL, "timeout": 60}
            try:
                ended = subprocess.run(words, capture_output=True, text=True, **given)
                output = ended.stdout + ended.stderr
            except subprocess.TimeoutExpired:
                output = "it didn't end within a minute"
            for secret in ("secret-", "s3cr3t"):
                assert secret not in output, f"{case['name']}: a secret was printed:\n{output}"
            identified = any(call["action"] == "GetCallerIdentity" for call in fake.log)
            shown = calls(fake.log)
            left = [name for name in case.get("leaves", []) if Path(home, name).exists()]
            if not identified:
                shown.append("error")
            return shown + [f"leaves {name}" for name in left], output
    finally:
        fake.close()


def taskcat(path):
    def command(case, region):
        profile = ["--profile", case["profile"]] if "profile" in case else []
        code = ["--mfa-code", case["mfa_code"]] if "mfa_code" in case else []
        return [path, *profile, *code, *case.get("args", []), "test", "list", "-r", region]

    return command


def boto3(case, region):
    return [str(PYTHON), str(BOTO3), region, case.get("profile", ""), case.get("mfa_code", ""), *case.get("boto3", [])]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--taskcat", default=str(ROOT / "target/debug/taskcat"))
    arguments.add_argument("--verbose", action="store_true", help="print what both programs said")
    arguments.add_argument("names", nargs="*")
    given = arguments.parse_args()
    chosen = [case for case in CASES if not given.names or any(name in case["name"] for name in given.names)]
    ours = taskcat(given.taskcat)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda case: (run(case, ours), run(case, boto3)), chosen))
    unexplained = []
    for case, ((own, said), (their, they_said)) in zip(chosen, results):
        is_same = own == their
        reason = case.get("differs")
        verdict = "same" if is_same else f"differs: {reason}" if reason else "DIFFERS"
        if is_same == bool(reason):
            unexplained.append(case["name"])
        print(f"{case['name']}: {verdict}")
        for name, shown in [("both", own)] if is_same else [("taskcat", own), ("boto3", their)]:
            print(f"    {name:8}{' | '.join(shown)}")
        if given.verbose or is_same == bool(reason):
            print("\n".join(f"      > {line}" for line in (said.splitlines() + ["---"] + they_said.splitlines()[-5:])))
        for expected in case.get("says", []):
            if expected not in said:
                unexplained.append(case["name"])
                print(f"    expected taskcat to say {expected!r}, but it said:\n{said}")
    print(f"{len(chosen)} cases, {sum('differs' in case for case in chosen)} of them differ on purpose")
    if unexplained:
        sys.exit(f"unexplained: {', '.join(unexplained)}")


if __name__ == "__main__":
    main()
