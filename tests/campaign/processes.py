"""Processes: the program under test, the simulator, the proxy, and what the program leaves running."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

from paths import PROXY, PYTHON

# In the environment of everything that a trial starts, so that what is left running can be found.
MARK = "TASKCAT_CAMPAIGN_TRIAL"


class Simulator:
    """A server of its own for a trial."""

    def __init__(self, binary, speed, log, scenario=None):
        command = [binary, "simulator", "--speed", str(speed)]
        if scenario:
            command += ["--scenario", scenario]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        for line in self.process.stdout:
            if found := re.search(r"AWS_ENDPOINT_URL=['\"]?http://[^:]+:(\d+)", line):
                self.port = int(found[1])
                break
        else:
            raise RuntimeError("the simulator did not start")

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Proxy:
    """`tests/python/proxy.py` in front of a simulator."""

    def __init__(self, simulator, log, seed, faults=()):
        self.log = pathlib.Path(log)
        self.process = subprocess.Popen(
            [PYTHON, PROXY, str(simulator.port), log, "--seed", str(seed), *faults],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.port = int(self.process.stdout.readline())

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def calls(self):
        """The calls so far, oldest first."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def has_faulted(self):
        return self.log.exists() and '"fault": ' in self.log.read_text(encoding="utf-8")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Program:
    """The program under test, started once."""

    def __init__(self, command, cwd, environment, log):
        self.command = [str(word) for word in command]
        self.log = pathlib.Path(log)
        self.started = time.monotonic()
        with self.log.open("w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A terminal's signals go to a whole group, and must not reach the campaign.
                start_new_session=True,
            )

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number, group=False):
        if self.is_running():
            try:
                (os.killpg if group else os.kill)(self.process.pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def wait(self, seconds):
        """The exit code; `None` if the program doesn't end in time, which is then killed."""
        try:
            return self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def sleep(self, seconds):
        """Sleeps for as long as the program runs."""
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            pass

    @property
    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")


def left_running(mark):
    """Process ids and commands of what a trial started and that still runs."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environment = (folder / "environ").read_bytes()
            if f"{MARK}={mark}\0".encode() in environment:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    found.append((int(folder.name), command))
        except OSError:
            pass
    return found
