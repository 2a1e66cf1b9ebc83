#!/usr/bin/env python3
"""Kills and disturbs runs of taskcat at random, cleans up as a user would, and takes stock of what is left.

    tests/campaign/run.py --kills 1000 --faults 500 --signals 200 --seed 7
    tests/campaign/run.py --short
    tests/campaign/run.py --seed 7 --only kills:123

Exits with 0 only if nothing was left, nothing of others was touched, every run ended, and every verdict was right.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time
import traceback

from paths import PYTHON, ROOT

SHORT = {"kills": 30, "signals": 8, "faults": 22}


@dataclasses.dataclass
class Measured:
    """An undisturbed run."""

    seconds: float
    # How often each API was called.
    actions: dict[str, int]


class Campaign:
    def __init__(self, arguments):
        self.seed = arguments.seed
        self.binary = arguments.binary.resolve()
        self.keep = arguments.keep
        self.speed = arguments.speed
        self.limit = arguments.limit
        self.fault_limit = arguments.fault_limit
        self.folder = (ROOT / "target/tmp/campaign" / f"{os.getpid()}").resolve()
        self.has_namespaces = kills.has_namespaces()
        self.measurements = {}
        self.locks = collections.defaultdict(threading.Lock)

    def measured(self, project):
        with self.locks[project.name]:
            if project.name not in self.measurements:
                self.measurements[project.name] = self.measure(project)
        return self.measurements[project.name]

    def measure(self, project):
        trial = Trial(self, "measure", project.name, "undisturbed")
        trial.number = 0
        try:
            trial.set_up(project, self.speed)
            run = trial.start_run()
            code = trial.wait(run, "an undisturbed run")
            seconds = time.monotonic() - run.started
            trial.check()
            if code != project.exit_code or trial.findings:
                text = "\n".join([f"exit code {code}", *trial.findings, run.output])
                sys.exit(f"campaign: {project.name} doesn't run undisturbed: {text}")
            actions = collections.Counter(call["action"] for call in trial.proxy.calls())
            return Measured(seconds, dict(actions))
        finally:
            trial.tear_down()

    def attempt(self, kind, number):
        """One trial; whatever goes wrong with the campaign itself is a finding, too."""
        mode, function = choose(kind, number)
        trial = Trial(self, kind, number, mode)
        started = time.monotonic()
        try:
            function(trial)
        except Exception:
            trial.find("the campaign: " + traceback.format_exc())
        finally:
            trial.seconds = time.monotonic() - started
            trial.tear_down()
        return trial


def choose(kind, number):
    module = KINDS[kind]
    rare = list(getattr(module, "RARE_MODES", {}).items())
    if rare and number % 40 == 39:
        return rare[number // 40 % len(rare)]
    return list(module.MODES.items())[number % len(module.MODES)]


def report(trial, arguments):
    if not trial.findings:
        return
    options = f"--seed {arguments.seed} --only {trial.name}"
    if arguments.binary != ROOT / "target/debug/taskcat":
        options += f" --binary {arguments.binary}"
    print(f"\n{trial.name} ({trial.mode}): {'; '.join(trial.notes)}")
    for finding in trial.findings:
        print(f"  {finding}")
    print(f"  kept in {trial.folder}")
    print(f"  reproduce with tests/campaign/run.py {options}", flush=True)


def summary(trials, arguments, seconds):
    kinds = {}
    for trial in trials:
        mode = kinds.setdefault(trial.kind, {}).setdefault(trial.mode, {"trials": 0, "killed": 0, "failed": 0})
        mode["trials"] += 1
        mode["killed"] += "killed" in trial.notes
        mode["failed"] += bool(trial.findings)
        mode.setdefault("seconds", []).append(trial.seconds)
    for modes in kinds.values():
        for mode in modes.values():
            times = mode.pop("seconds")
            mode["median_seconds"] = round(statistics.median(times), 2)
            mode["max_seconds"] = round(max(times), 2)
    version = subprocess.run([arguments.binary, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    findings = [
        {"trial": trial.name, "mode": trial.mode, "notes": trial.notes, "findings": trial.findings}
        for trial in trials
        if trial.findings
    ]
    return {
        "seed": arguments.seed,
        "version": version,
        "trials": len(trials),
        "failed": len(findings),
        "seconds": round(seconds),
        "kinds": kinds,
        "findings": findings,
    }


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="runs to kill")
    parser.add_argument("--signals", type=int, default=0, metavar="N", help="runs to interrupt by signals")
    parser.add_argument("--faults", type=int, default=0, metavar="N", help="runs to disturb by faults of AWS")
    parser.add_argument("--short", action="store_true", help=f"the short form: {SHORT}")
    parser.add_argument("--only", action="append", metavar="KIND:NUMBER", help="only this trial")
    parser.add_argument("--mode", help="only trials of this mode")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what is random follows from it [default: 1]")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="trials at once [default: 2]")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/debug/taskcat", help="program to try")
    parser.add_argument("--speed", type=float, default=60, help="speed of the simulator [default: 60]")
    parser.add_argument("--limit", type=float, default=150, help="seconds until a program counts as stuck [default: 150]")
    parser.add_argument("--fault-limit", type=float, default=300, help="the same for runs under faults [default: 300]")
    parser.add_argument("--keep", action="store_true", help="keep the folders of all trials")
    parser.add_argument("--summary", type=pathlib.Path, metavar="FILE", help="where to write the summary as JSON")
    return parser.parse_args()


def main():
    arguments = read_arguments()
    counts = SHORT if arguments.short else {kind: getattr(arguments, kind) for kind in KINDS}
    todo = [(kind, number) for kind, count in counts.items() for number in range(count)]
    if arguments.only:
        todo = [(kind, int(number)) for kind, _, number in (name.partition(":") for name in arguments.only)]
    if arguments.mode:
        todo = [it for it in todo if choose(*it)[0] == arguments.mode]
    if not todo:
        sys.exit("campaign: nothing to do; see --help")
    if not arguments.binary.exists():
        sys.exit(f"campaign: {arguments.binary} doesn't exist; run `cargo build` first")
    campaign = Campaign(arguments)
    started = time.monotonic()
    trials = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        futures = [pool.submit(campaign.attempt, *it) for it in todo]
        try:
            for future in concurrent.futures.as_completed(futures):
                trials.append(future.result())
                report(trials[-1], arguments)
                if len(trials) % 50 == 0:
                    print(f"{len(trials)} of {len(todo)} after {time.monotonic() - started:.0f} s", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    found = summary(sorted(trials, key=lambda it: (it.kind, it.number)), arguments, time.monotonic() - started)
    path = arguments.summary or campaign.folder.parent / "summary.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if not found["failed"] and not arguments.keep:
        shutil.rmtree(campaign.folder, ignore_errors=True)
    print(f"{found['trials']} trials in {found['seconds']} s, {found['failed']} with findings; summary: {path}")
    sys.exit(1 if found["failed"] else 0)


if __name__ == "__main__":
    try:
        import boto3  # noqa: F401
    except ImportError:
        # The virtual environment has it.
        if pathlib.Path(sys.executable) == PYTHON:
            raise
        subprocess.run([ROOT / "tests/setup.sh", "moto"], check=True)
        os.execv(PYTHON, [PYTHON, *sys.argv])

    import disturbances
    import kills
    import signals
    from trial import Trial

    KINDS = {"kills": kills, "signals": signals, "faults": disturbances}
    main()
