"""Runs that are killed at a random moment, and six ways to clean up after them.

The moment is a random time of an undisturbed run's, or a call: killed while its answer is late (the call has taken
effect), or before it reaches the server.
"""

import re
import shutil
import subprocess

import inventory
from projects import PROJECTS

# A process id of its own kind, as in a container: the program is process 1 there, each time.
CONTAINER = ["unshare", "--fork", "--pid", "--mount-proc", "--uts", "--kill-child"]

# With the automatic bucket, the user's bucket, several regions, hooks and nested stacks; what takes longest comes least.
PROJECT_NAMES = [
    "undeclared-parameter",
    "given-bucket",
    "first-run",
    "hooks",
    "slow",
    "undeclared-parameter",
    "given-bucket",
    "ten-regions",
    "hooks",
    "nested-fail",
]


def choose_moment(trial, project):
    """Faults for the proxy and the seconds to wait, either of which may be nothing."""
    measured = trial.campaign.measured(project)
    if trial.random.random() < 0.5:
        return [], trial.random.uniform(0, measured.seconds * 1.1)
    action = trial.random.choice(sorted(measured.actions))
    skip = trial.random.randrange(min(measured.actions[action], 6))
    what = trial.random.choice(["delay:3", "hang"])
    return [f"{action}={what}+{skip}*1"], None


def wait_for_moment(trial, run, seconds):
    if seconds is not None:
        trial.note(f"after {seconds:.3f} s")
        run.sleep(seconds)
        return
    extra = trial.random.uniform(0, 0.02)
    while run.is_running() and not trial.proxy.has_faulted():
        run.sleep(0.005)
    run.sleep(extra)


def set_up(trial, tagged):
    """Sets the trial up and returns the moment."""
    project = PROJECTS[trial.random.choice(PROJECT_NAMES)]
    faults, seconds = choose_moment(trial, project)
    trial.set_up(project, trial.campaign.speed, faults, tagged=project.name if tagged == "same" else tagged)
    return seconds


def kill_run(trial, tagged="same", **options):
    seconds = set_up(trial, tagged)
    run = trial.start_run(**options)
    wait_for_moment(trial, run, seconds)
    if run.is_running():
        trial.note("killed")
    run.kill()
    return run


def journal(trial):
    """The journal is kept, the run named by its ID."""
    kill_run(trial)
    clean_named(trial)


def tags(trial):
    """The journal is lost, as with a container; the run named by its ID."""
    kill_run(trial)
    run_id = trial.run_id()
    forget(trial)
    clean_named(trial, run_id)


def everything(trial):
    """`clean ALL`, which deletes every run's, those that may go on included."""
    kill_run(trial, tagged=None)
    allowed = (0,)
    if trial.random.random() < 0.5:
        forget(trial)
    elif trial.random.random() < 0.5 and forge(trial):
        # What the forged journal names isn't its run's, which is told.
        allowed = (0, 4)
    trial.clean("ALL", "--include-running", allowed=allowed)
    trial.check()


def clean_killed(trial):
    """The cleaning is killed as well, up to three times."""
    kill_run(trial)
    run_id = trial.run_id()
    if trial.random.random() < 0.3:
        forget(trial)
    for _ in range(trial.random.randint(1, 3)):
        clean = trial.start("test", "clean", "--yes", "--wait-for-delete", run_id or trial.project.name)
        clean.sleep(trial.random.uniform(0, 0.8))
        clean.kill()
    clean_named(trial, run_id)


def container(trial):
    """Run and cleaning are in namespaces of their own, where both are process 1; the project's folder outlives them."""
    isolated = trial.campaign.has_namespaces
    wrapper = CONTAINER if isolated else []
    kill_run(trial, wrapper=wrapper)
    run_id = trial.run_id()
    home = {"HOME": str(trial.folder / "tmp-home")}
    (trial.folder / "tmp-home").mkdir()
    if trial.random.random() < 0.3:
        forget(trial)
    elif trial.random.random() < 0.5:
        copy = trial.folder / "copy" / trial.project.name
        shutil.copytree(trial.root, copy)
        trial.root = copy
    clean_named(trial, run_id, wrapper=wrapper, environment=home)


def resume(trial):
    """`test resume` takes over; what it doesn't find never was."""
    kill_run(trial)
    run_id = trial.run_id()
    if trial.random.random() < 0.3:
        forget(trial)
    if run_id:
        resumed = trial.start("test", "resume", run_id)
        code = trial.wait(resumed, "resume")
        if code not in (0, 1, 130, None) and "nothing of the run" not in resumed.output:
            trial.find(f"resume ended with {code}")
    trial.check()


def forge(trial):
    """Adds a journal like the run's that names a bucket and a stack of others, as a pull request could."""
    foreign = {}
    for key in trial.before:
        kind, name = key.split()[:2]
        foreign.setdefault(kind, name)
    journals = list((trial.root / ".taskcat/runs").glob("*.ndjson"))
    for journal in journals:
        text = journal.read_text(encoding="utf-8").replace(journal.stem, inventory.ANOTHER_RUN)
        text = re.sub(r"tcat-[\w.-]+", foreign["bucket"], text)
        text = re.sub(r"tCaT-[\w-]+", foreign["stack"], text)
        journal.with_stem(inventory.ANOTHER_RUN).write_text(text, encoding="utf-8")
        trial.note("journal forged")
    return bool(journals)


def forget(trial):
    trial.note("journal deleted")
    for folder in [trial.root / ".taskcat", trial.root / "taskcat_outputs", trial.folder / "home"]:
        shutil.rmtree(folder, ignore_errors=True)
    (trial.folder / "home").mkdir()


def clean_named(trial, run_id=None, **options):
    run_id = run_id or trial.run_id()
    # Without an ID the run was killed before it said or did anything.
    if run_id:
        trial.clean(run_id, **options)
    trial.check()


def has_namespaces():
    try:
        return subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


MODES = {
    "journal": journal,
    "tags": tags,
    "all": everything,
    "clean-killed": clean_killed,
    "container": container,
    "resume": resume,
}
