"""One trial: a project, a simulator and a proxy of its own, what is done to them, and what was found."""

import os
import random
import re
import shlex
import shutil
import signal
import time

import inventory
from processes import MARK, Program, Proxy, Simulator, left_running

RUN_ID = re.compile(r"\brun ([0-9a-f]{32})\b")
CLEAN_COMMAND = re.compile(r"`(taskcat [^`]*test clean[^`]*)`")


class Trial:
    """What a mode works with; findings are collected, not raised."""

    def __init__(self, campaign, kind, number, mode):
        self.campaign = campaign
        self.kind = kind
        self.number = number
        self.mode = mode
        self.name = f"{kind}:{number}"
        self.random = random.Random(f"{campaign.seed}/{self.name}")
        self.folder = campaign.folder / f"{kind}-{number}"
        self.mark = f"{os.getpid()}-{campaign.seed}-{self.name}"
        self.findings = []
        self.notes = []
        self.programs = []
        self.simulator = self.proxy = self.before = None

    def set_up(self, project, speed, faults=(), tagged=None, scenario=None):
        """Starts the servers and plants the look-alikes; `tagged` names the project of those of another run."""
        self.project = project
        self.speed = speed
        self.note(f"{project.name} at speed {speed}", *faults)
        for name in ["home", "tmp", "bin"]:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "bin/taskcat").symlink_to(self.campaign.binary)
        self.root = self.folder / project.name
        project.copy(self.root)
        with (self.folder / "simulator.log").open("w") as log:
            self.simulator = Simulator(self.campaign.binary, speed, log, scenario)
        inventory.plant(self.simulator.endpoint, project, tagged)
        inventory.settle(self.simulator.endpoint, project)
        self.before = self.take_inventory()
        self.proxy = Proxy(self.simulator, self.folder / "calls.ndjson", self.number, faults)

    def tear_down(self):
        for program in self.programs:
            if program.is_running():
                program.kill()
        for process, _ in left_running(self.mark):
            os.kill(process, signal.SIGKILL)
        for server in [self.proxy, self.simulator]:
            if server:
                server.stop()
        if not self.findings and not self.campaign.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def note(self, *texts):
        """Adds to what is printed with a finding."""
        self.notes += texts

    def find(self, text):
        self.findings.append(text)

    def environment(self):
        return {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
            "AWS_ENDPOINT_URL": self.proxy.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            MARK: self.mark,
        }

    def start(self, *arguments, wrapper=(), cwd=None, environment=None, command=None):
        command = command or [*wrapper, self.campaign.binary, *arguments]
        log = self.folder / f"{len(self.programs)}.log"
        environment = self.environment() | (environment or {})
        program = Program(command, cwd or self.root, environment, log)
        self.programs.append(program)
        return program

    def start_run(self, *arguments, **options):
        # The templates' check needs cfn-lint, which has nothing to do with what is tried here.
        return self.start("test", "run", "--lint-disable", *arguments, **options)

    def wait(self, program, what, limit=None):
        """The exit code, `None` if the program didn't end in time, which is a finding, as is a panic."""
        code = program.wait(limit or self.campaign.limit)
        if code is None:
            self.find(f"no end: {what} still ran after {limit or self.campaign.limit:.0f} s")
        if "panicked at" in program.output:
            self.find(f"panic: {what}")
        return code

    def run_id(self):
        """The run's ID as a user would know it: from what it printed, or from its journal."""
        if found := RUN_ID.search(self.programs[0].output):
            return found[1]
        journals = sorted((self.root / ".taskcat/runs").glob("*.ndjson"))
        return journals[0].stem if journals else None

    def clean(self, *arguments, what="clean", allowed=(0,), **options):
        """Runs `test clean` to its end, which has to be a success."""
        program = self.start("test", "clean", "--yes", "--wait-for-delete", *arguments, **options)
        code = self.wait(program, what)
        if code is not None and code not in allowed:
            self.find(f"{what} ended with {code}: {last_line(program.output)}")
        return code

    def clean_as_told(self, program):
        """Runs the command that a program printed for what it didn't delete, as it stands."""
        told = CLEAN_COMMAND.findall(program.output)
        if not told:
            self.find("left something without telling how to delete it")
            return
        command = self.start(command=shlex.split(told[-1]))
        code = self.wait(command, "the clean command as printed")
        if code not in (0, None):
            self.find(f"the clean command as printed ended with {code}: {last_line(command.output)}")

    def take_inventory(self):
        return inventory.take(self.simulator.endpoint, self.project.regions)

    def left(self):
        """What exists now and didn't before, but for what a run may leave in the user's bucket."""
        prefix = f"object {inventory.USERS_BUCKET}/{self.project.staged_under}"
        return {
            key: value
            for key, value in self.take_inventory().items()
            if key not in self.before and not key.startswith(prefix)
        }

    def check(self):
        """Takes the inventory: nothing is left, nothing of others has changed, nothing runs on."""
        now = self.take_inventory()
        for key, value in self.before.items():
            if now.get(key) != value:
                self.find(f"foreign: {key} was {value}, is {now.get(key)}")
        self.findings += [f"left: {key}" for key in sorted(self.left())]
        deadline = time.monotonic() + 3
        while (running := left_running(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.findings += [f"still running: {command}" for _, command in running]
        self.findings += [f"left in TMPDIR: {path.name}" for path in (self.folder / "tmp").iterdir()]


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(no output)"
