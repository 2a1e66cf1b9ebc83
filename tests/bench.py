#!/usr/bin/env python3
"""Measures taskcat and the Python TaskCat side by side, on the same server in one run, and prints a Markdown table.

    tests/bench.py [--rounds N] [--binary PATH] [--corpus DIR] [--only TEXT]

Without --binary the release build is made first. --only takes the jobs whose names contain a text. Stacks are launched
on moto, where they stand when CreateStack answers; files are sent to ministack, which lists a bucket ten times as fast:
so as little as can be is measured of the server, which is the same for both. Both get the same projects and endpoint;
the Python TaskCat runs through tests/python/taskcat_offline.py, which answers what would leave this machine. The
median of the rounds counts; CPU seconds are the kernel's (wait4), children included; peak memory is the program's own
(VmHWM).

`plan` is measured on real projects, where a folder of them is at hand, each with those of its git submodules that are
projects of that folder too. TaskCat has nothing that answers plan's question. Beside it stands the part of the work
that TaskCat does as well: to read the configuration, and every template that the tests lead to. Evaluating each of
them for every test and region comes on top of that, in our column alone. (`taskcat lint` answers another question: it
is cfn-lint, which knows rules for templates, but not what a test gives them.)
"""

import argparse
import itertools
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / "target/venvs"
SUPPORT = ROOT / "tests/python"
BUCKET = "the-users-own-bucket"  # as fixtures/projects/given-bucket says
FILES = 1000
# The projects of the corpus that lead to most templates, or have most tests and regions.
PLANNED = [
    ("aws-quickstart__quickstart-microsoft-activedirectory", []),
    ("aws-quickstart__quickstart-microsoft-activedirectory", ["--all-regions"]),
    ("aws-quickstart__quickstart-magento", []),
    ("aws-quickstart__quickstart-aws-vpc", []),
]


class Server:
    """moto or ministack on a free port, for as long as this program runs."""

    RESET = {"moto": "moto-api/reset", "ministack": "_ministack/reset"}

    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [VENVS / self.kind / "bin/python", SUPPORT / "serve.py", self.kind, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.reset()
                return self
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def reset(self):
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{self.RESET[self.kind]}", method="POST")).read()

    def make_bucket(self):
        call = "import boto3, sys; boto3.client('s3', endpoint_url=sys.argv[1]).create_bucket(Bucket=sys.argv[2])"
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
        keys["AWS_DEFAULT_REGION"] = keys["AWS_REGION"]
        subprocess.run([VENVS / "moto/bin/python", "-c", call, self.endpoint, BUCKET], check=True, env=os.environ | keys)


class Measure:
    """What one run of a program took, and what it printed."""

    def __init__(self, command, folder, environment, fine):
        log = folder / "bench.log"
        with open(log, "wb") as output:
            started = time.monotonic()
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
            self.memory = 0
            sampler = threading.Thread(target=self.sample_memory, args=[process.pid])
            sampler.start()
            _, status, usage = os.wait4(process.pid, 0)
            self.wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        sampler.join()
        self.cpu = usage.ru_utime + usage.ru_stime
        self.output = log.read_text()
        if process.returncode not in fine:
            sys.exit(f"bench: {' '.join(map(str, command))} ended with {process.returncode}\n{self.output}")

    def sample_memory(self, pid):
        """The peak so far, in MiB, again and again. wait4 would count what this program held when it forked as well."""
        pause = 0.0005
        while True:
            try:
                with open(f"/proc/{pid}/status", encoding="ascii") as status:
                    peak = next((line for line in status if line.startswith("VmHWM:")), None)
            except OSError:
                return
            if peak is None:  # It has ended.
                return
            self.memory = int(peak.split()[1]) / 1024
            time.sleep(pause)
            pause = min(pause * 1.1, 0.01)


class Program:
    def __init__(self, name, command):
        self.name = name
        self.command = command

    def run(self, arguments, folder, endpoint, fine=(0,)):
        environment = {
            "PATH": f"{VENVS / 'taskcat/bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
        }
        return Measure([*self.command, *arguments], folder, environment, fine)


def project(folder, scenario):
    """A copy of a fixture for each run, so that nobody finds what another one left."""
    target = folder / scenario
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "fixtures/projects" / scenario, target)
    return target


def many_files(folder):
    target = project(folder, "given-bucket")
    for number in range(FILES):
        file = target / f"files/{number % 10}/{number:04}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"file {number}\n" * 20)
    return target


def jobs(moto, ministack, folder):
    """Each job: its name, and a function that prepares and runs it once for a program."""

    def version(program):
        return program.run(["--version"], folder, moto.endpoint)

    def resolve(program):
        target = project(folder, "every-key")
        if program.name == "taskcat":
            return program.run(["config", "show", "--format", "json"], target, moto.endpoint)
        python = Program(program.name, [VENVS / "taskcat/bin/python", SUPPORT / "resolved.py"])
        return python.run([], target, moto.endpoint)

    def test_run(program):
        moto.reset()
        target = project(folder, "sample")
        # Both would start the same pip, which takes longer than everything else together.
        (target / "lambda_functions/source/label/requirements.txt").unlink()
        return program.run(["test", "run", "-l", "-e"], target, moto.endpoint)

    def upload(program):
        ministack.reset()
        ministack.make_bucket()
        return program.run(["upload"], many_files(folder), ministack.endpoint)

    def upload_again(program):
        # The bucket holds what `upload` sent, byte for byte the same for both.
        target = many_files(folder)
        program.run(["upload"], target, ministack.endpoint)
        return program.run(["upload"], target, ministack.endpoint)

    return [
        ("`--version`", version),
        ("resolve a configuration (¹)", resolve),
        ("`test run`, 2 tests × 3 regions, no lint", test_run),
        (f"`upload` of {FILES:,} small files", upload),
        ("`upload` again, nothing changed", upload_again),
    ]


def plans(ours, corpus, endpoint, folder):
    """The jobs of `plan`, in the shape of `jobs`; their names tell how much there was to read and to evaluate."""
    reads = [VENVS / "taskcat/bin/python", SUPPORT / "templates.py"]
    for name, options in PLANNED:
        if not (corpus / name).is_dir():
            print(f"bench: `plan` of {name} isn't measured, it isn't in {corpus}", file=sys.stderr)
            continue
        # Nobody writes into it, so one copy serves all runs.
        target = folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(corpus / name, target)
        add_submodules(corpus, corpus / name, target)

        def plan(program, target=target, options=options):
            if program.name == "taskcat":
                # 1: a test would fail, as some of these projects' do.
                return program.run(["plan", *options], target, endpoint, fine=(0, 1))
            return Program(program.name, reads).run([], target, endpoint)

        templates = plan(Program("TaskCat", [])).output.split()[-1]
        report = ours.run(["plan", "--format", "json", *options], target, endpoint, fine=(0, 1)).output
        # Warnings stand in the same log before the plan.
        cells = len(json.loads(report[re.search(r"^\{$", report, re.M).start() :])["cells"])
        command = " ".join(["plan", *options])
        many = "" if templates == "1" else "s"
        yield f"`{command}` of {name.split('__')[1]}: {templates} template{many}, {cells} tests × regions (²)", plan


def add_submodules(corpus, source, target, depth=0):
    """Puts those submodules in their places that are projects of the corpus."""
    modules = source / ".gitmodules"
    text = modules.read_text() if modules.is_file() and depth < 3 else ""
    for path, url in zip(re.findall(r"path\s*=\s*(\S+)", text), re.findall(r"url\s*=\s*(\S+)", text)):
        name = url.removesuffix(".git").rsplit("/", 1)[-1]
        name = {"quickstart-microsoft-utilities": "cfn-ps-microsoft-utilities"}.get(name, name)
        for module in (corpus / f"{owner}__{name}" for owner in ("aws-quickstart", "aws-ia")):
            if module.is_dir():
                shutil.copytree(module, target / path, dirs_exist_ok=True)
                add_submodules(corpus, module, target / path, depth + 1)
                break


def ratio(theirs, ours):
    factor = theirs / ours if ours > 0 else float("inf")
    return f"{factor:.0f}×" if factor >= 10 else f"{factor:.1f}×"


def median(measures, field):
    return statistics.median(getattr(measure, field) for measure in measures)


def seconds(value):
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=3, help="how often each job is done by each program (3)")
    arguments.add_argument("--binary", type=Path, help="taskcat; without it the release build is made, and used")
    corpus = ROOT.parent / "shared/corpus"
    arguments.add_argument("--corpus", type=Path, default=corpus, help=f"real projects, for `plan` ({corpus})")
    arguments.add_argument("--only", default="", metavar="TEXT", help="only the jobs whose names contain this")
    arguments = arguments.parse_args()
    subprocess.run([ROOT / "tests/setup.sh"], check=True)
    binary = arguments.binary
    if binary is None:
        subprocess.run(["cargo", "build", "--release", "--locked", "--ignore-rust-version"], cwd=ROOT, check=True)
        binary = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/taskcat"
    ours = Program("taskcat", [binary.resolve()])
    theirs = Program("TaskCat 0.9.58", [VENVS / "taskcat/bin/python", SUPPORT / "taskcat_offline.py"])
    print("| | TaskCat 0.9.58: wall, CPU, memory | taskcat: wall, CPU, memory | ratio: wall, CPU, memory |")
    print("|---|---|---|---|")
    with Server("moto") as moto, Server("ministack") as ministack, tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        planned = plans(ours, arguments.corpus, moto.endpoint, folder)
        for name, job in itertools.chain(jobs(moto, ministack, folder), planned):
            if arguments.only not in name:
                continue
            # Alternately, so that whatever else this machine does meets both.
            rounds = [(job(theirs), job(ours)) for _ in range(arguments.rounds)]
            columns, ratios = [[], []], []
            for field, shown in (("wall", seconds), ("cpu", seconds), ("memory", lambda it: f"{it:.0f} MiB")):
                values = [median(measures, field) for measures in zip(*rounds)]
                for column, value in zip(columns, values):
                    column.append(shown(value))
                ratios.append(ratio(*values))
            print(f"| {name} | {', '.join(columns[0])} | {', '.join(columns[1])} | {', '.join(ratios)} |", flush=True)
    print("\n(¹) TaskCat has no command for it: its `Config.create` is called.")
    print("(²) TaskCat has nothing like it: it only reads the configuration and these templates.")
    print(f"Median of {arguments.rounds} rounds on {os.cpu_count()} cores; stacks on moto 5.2.5, uploads to ministack")
    print("1.5.33.")


if __name__ == "__main__":
    main()
