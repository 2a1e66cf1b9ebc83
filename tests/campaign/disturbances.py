"""Runs under faults of AWS, which must neither change a verdict nor leave anything.

`lost`, `refused` and `late` hit one API of the run, `throttled` throttles one, `weather` is everything at once, and
`together` lets several runs go on in one account, bucket or folder, one of which is killed.
"""

import json

from projects import PROJECTS

PASSING = ["undeclared-parameter", "given-bucket", "first-run", "slow", "nested-fail"]
FAILING = ["hooks", "ten-regions"]
WEATHER = ["hide:bucket=2", "hide:stack=2", "*=throttle%30", "*=internal%5", "*=cut%5"]


def any_project(trial):
    return PROJECTS[trial.random.choice(PASSING + PASSING + FAILING)]


def one_api(trial, whats, times):
    project = any_project(trial)
    actions = trial.campaign.measured(project).actions
    action = trial.random.choice(sorted(actions))
    skip = trial.random.randrange(min(actions[action], 4))
    what = trial.random.choice(whats)
    undisturbed(trial, project, [f"{action}={what}+{skip}*{trial.random.choice(times)}"])


def lost(trial):
    """The call takes effect, its answer is lost."""
    one_api(trial, ["after:cut", "after:internal", "after:503:ServiceUnavailable"], [1, 1, 2])


def refused(trial):
    """The call fails before it takes effect."""
    one_api(trial, ["cut", "internal", "503:ServiceUnavailable"], [1, 2, 3])


def late(trial):
    """The answer is late by seconds."""
    one_api(trial, ["delay:1", "delay:3"], [1, 2])


def throttled(trial):
    """One API is throttled for a while."""
    one_api(trial, ["throttle"], [1, 3, 6])


def hidden(trial):
    """What was just created can't be seen for some seconds."""
    seconds = trial.random.choice([0.5, 2, 4])
    undisturbed(trial, any_project(trial), [f"hide:bucket={seconds}", f"hide:stack={seconds}"])


def weather(trial):
    """30 % throttled, 5 % internal errors, 5 % cut connections, and 2 seconds of eventual consistency."""
    undisturbed(trial, any_project(trial), WEATHER)


def unanswered(trial):
    """A call is never answered, before or after it took effect."""
    one_api(trial, ["hang", "after:hang"], [1])


def undisturbed(trial, project, faults):
    """Runs as if nothing were: the verdicts are right, and nothing is left."""
    trial.set_up(project, trial.campaign.speed, faults, tagged=project.name)
    run = trial.start_run()
    code = trial.wait(run, "the run", trial.campaign.fault_limit)
    check_verdict(trial, code)
    if code is not None and trial.left():
        trial.note("left before clean: " + ", ".join(sorted(trial.left())))
        if code == trial.project.exit_code:
            trial.find(f"left something, exit code {code}")
        else:
            trial.clean_as_told(run)
    trial.check()


def check_verdict(trial, code, root=None, output="taskcat_outputs", what="the run"):
    expected = trial.project.exit_code
    if code is None:
        return
    report = (root or trial.root) / output / "report.json"
    verdict = json.loads(report.read_text(encoding="utf-8"))["verdict"] if report.exists() else None
    if code != expected or verdict != ("passed" if expected == 0 else "failed"):
        trial.find(f"wrong verdict of {what}: exit code {code}, expected {expected}; report says {verdict}")


def together(trial):
    """Several runs at once; one is killed, `clean ALL` comes while the others go on."""
    project = PROJECTS[trial.random.choice(["given-bucket", "first-run", "undeclared-parameter", "slow"])]
    trial.set_up(project, trial.campaign.speed / 3, [], tagged=None)
    in_one_folder = trial.random.random() < 0.5
    roots = [trial.root] * 3
    if not in_one_folder:
        roots = [trial.root, *(trial.folder / f"branch-{number}" / project.name for number in (1, 2))]
        for number, root in enumerate(roots[1:]):
            root.parent.mkdir()
            project.copy(root)
            (root / f"only-in-{number}.txt").write_text(f"{number}")
    trial.note("in one folder" if in_one_folder else "in three folders")
    outputs = [f"taskcat_outputs_{number}" for number in range(3)]
    runs = [trial.start_run("-o", output, cwd=root) for root, output in zip(roots, outputs)]
    doomed = trial.random.randrange(3)
    runs[doomed].sleep(trial.random.uniform(0, trial.campaign.measured(project).seconds * 2))
    runs[doomed].kill()
    # Without `--include-running`; it may leave the killed run's alone, never touch the others'.
    trial.clean("ALL", what="clean ALL beside runs that go on", cwd=roots[doomed])
    for number, run in enumerate(runs):
        if number != doomed:
            code = trial.wait(run, f"run {number}")
            check_verdict(trial, code, roots[number], outputs[number], f"run {number}")
    if trial.left():
        trial.clean("ALL", "--include-running", cwd=roots[doomed])
    trial.check()


MODES = {
    "lost": lost,
    "refused": refused,
    "throttled": throttled,
    "late": late,
    "hidden": hidden,
    "weather": weather,
    "together": together,
}
# A call that is never answered takes as long as the client waits for it, so it comes once in a while only.
RARE_MODES = {"unanswered": unanswered}
