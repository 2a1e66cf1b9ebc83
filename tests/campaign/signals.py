"""Runs that are interrupted by one to three signals, to the program or to its whole group as a terminal sends them."""

import re
import signal

import kills
from projects import PROJECTS

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
# A further signal within a second belongs to the first.
TOGETHER = 1.0


def once(trial):
    """One signal: everything is deleted before the program ends."""
    interrupt(trial, [])


def together(trial):
    """A second one within a second of the first is ignored."""
    interrupt(trial, [trial.random.uniform(0, 0.8)])


def twice(trial):
    """A second one gives up: what was not deleted is told, with a command that deletes it."""
    interrupt(trial, [trial.random.uniform(1.1, 2.0)])


def often(trial):
    """Three or four, as impatient people and schedulers send them."""
    interrupt(trial, [trial.random.uniform(0, 1.5) for _ in range(trial.random.randint(2, 3))])


def interrupt(trial, distances):
    project = PROJECTS[trial.random.choice(["first-run", "slow", "given-bucket", "hooks", "undeclared-parameter"])]
    faults, seconds = kills.choose_moment(trial, project)
    faults = [fault.replace("delay:3", "delay:1.2").replace("hang", "after:cut") for fault in faults]
    # Slow enough that a deletion is still going on when further signals come.
    speed = trial.campaign.speed / (4 if distances else 1)
    if seconds is not None and distances:
        seconds *= 4
    trial.set_up(project, speed, faults, tagged=project.name)
    run = trial.start_run()
    kills.wait_for_moment(trial, run, seconds)
    sent = []
    for distance in [None, *distances]:
        if distance is not None:
            run.sleep(distance)
        if run.is_running():
            number = trial.random.choice(NUMBERS)
            run.signal(number, group=trial.random.random() < 0.5)
            sent.append(number)
    trial.note("signals: " + " ".join(f"{number.name}" for number in sent))
    code = trial.wait(run, "the interrupted run")
    # Before the program has asked for them, signals end it.
    allowed = {130, project.exit_code, *(-number for number in sent)}
    if code is not None and code not in allowed:
        trial.find(f"the interrupted run ended with {code}")
    if trial.left():
        gave_up = sum(distances) >= TOGETHER and re.search("not deleted", run.output)
        if not gave_up:
            trial.find("left something after the first signal")
        trial.clean_as_told(run)
    trial.check()


MODES = {"once": once, "together": together, "twice": twice, "often": often}
