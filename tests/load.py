#!/usr/bin/env python3
"""Runs many stacks in the simulator, as a server of its own, and says what that takes of both processes.

    tests/load.py [--stacks N] [--resources N] [--binary PATH]

Without --binary the release build is made first. The simulator is told that nothing takes any time, so what is measured
is the programs' own work: to launch, follow and delete the stacks, and to be CloudFormation for them. They are spread
over sixteen regions, since in each of them taskcat asks no more often than AWS likes, whoever answers. Peak memory is the
kernel's (VmHWM), of each process. Ends with 1 if it takes longer than 10 s, or more than 260 MB in both together.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REGIONS = """
us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 sa-east-1 eu-west-1 eu-west-2 eu-central-1 eu-north-1 ap-south-1
ap-northeast-1 ap-southeast-1 ap-southeast-2 af-south-1 me-central-1
"""
SECONDS, MEGABYTES = 10, 260


def write_project(folder, stacks, resources):
    regions = REGIONS.split()
    tests = "".join(f"  t{number}: {{template: t.yaml}}\n" for number in range(-(-stacks // len(regions))))
    config = f"project: {{name: load, regions: [{', '.join(regions)}]}}\ntests:\n{tests}"
    (folder / ".taskcat.yml").write_text(config)
    # Each but the first waits for another one.
    topics = "".join(
        f"  Topic{n}: {{Type: AWS::SNS::Topic, Properties: {{DisplayName: {f'!GetAtt Topic{n // 2}.TopicName' if n else 'first'}}}}}\n"
        for n in range(resources)
    )
    (folder / "t.yaml").write_text(f"Resources:\n{topics}")
    return tests.count("\n") * len(regions)


class Memory(threading.Thread):
    """The peak of a process in MB, as long as it can be asked."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak = pid, 0
        self.start()

    def run(self):
        while True:
            try:
                with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
                    peak = next(line for line in status if line.startswith("VmHWM:"))
            except (OSError, StopIteration):
                return
            self.peak = int(peak.split()[1]) * 1024 / 1e6
            time.sleep(0.02)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--stacks", type=int, default=1000, help="at least so many, in sixteen regions together (1000)")
    arguments.add_argument("--resources", type=int, default=10, help="of each stack (10)")
    arguments.add_argument("--binary", type=Path, help="taskcat; without it the release build is made, and used")
    arguments = arguments.parse_args()
    binary = arguments.binary
    if binary is None:
        subprocess.run(["cargo", "build", "--release", "--locked", "--ignore-rust-version"], cwd=ROOT, check=True)
        binary = ROOT / "target/release/taskcat"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        stacks = write_project(folder, arguments.stacks, arguments.resources)
        simulator = subprocess.Popen([binary.resolve(), "simulator", "--speed", "inf"], stdout=subprocess.PIPE, text=True)
        try:
            printed = [simulator.stdout.readline().removeprefix("export ").strip().split("=", 1) for _ in range(5)]
            environment = {**dict(printed), "PATH": os.environ["PATH"], "HOME": str(folder)}
            served = Memory(simulator.pid)
            with open(folder / "output.log", "wb") as log:
                started = time.monotonic()
                run = subprocess.Popen(
                    [binary.resolve(), "-q", "test", "run", "-l"], cwd=folder, env=environment, stdout=log, stderr=log
                )
                ran = Memory(run.pid)
                code = run.wait()
                took = time.monotonic() - started
        finally:
            simulator.terminate()
            simulator.wait()
        if code != 0:
            sys.exit(f"load: the run ended with {code}\n{(folder / 'output.log').read_text()[-2000:]}")
    memory = ran.peak + served.peak
    print(f"{stacks} stacks of {arguments.resources} resources: {took:.1f} s, {ran.peak:.0f} MB in the run,", end=" ")
    print(f"{served.peak:.0f} MB in the simulator, {memory:.0f} MB together")
    if took > SECONDS or memory > MEGABYTES:
        sys.exit(f"load: that is more than {SECONDS} s or {MEGABYTES} MB")


if __name__ == "__main__":
    main()
