"""CodePipeline, as far as its documents say how a V2 pipeline runs: stages, their locks, execution modes, run orders,
artifacts and variables. What an action does is `walk_actions.py`'s.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
"""

import fnmatch
import re
import uuid

# Number of input and output artifacts by provider, at least and at most:
# https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-action-artifacts.html
ARTIFACTS = {
    "CodeStarSourceConnection": ((0, 0), (1, 1)),
    "S3": ((0, 0), (1, 1)),
    "CodeBuild": ((1, 5), (0, 5)),
    "Lambda": ((0, 5), (0, 5)),
    "CloudFormation": ((0, 10), (0, 1)),
    "Manual": ((0, 0), (0, 0)),
}
# https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
LONGEST_VALUE = 1000
VARIABLE = re.compile(r"#\{([A-Za-z0-9@_-]+)\.([A-Za-z0-9@_-]+)\}")


class Stop(Exception):
    """An action failed; its stage fails with it."""


class Artifact:
    """What an action hands to later ones: a folder, or a reference to clone, which CodeBuild alone understands
    (https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodestarConnectionSource.html)."""

    def __init__(self, folder, is_clone=False):
        self.folder, self.is_clone = folder, is_clone


def check(stages):
    """What CreatePipeline refuses of a declaration."""
    made, namespaces, names = set(), set(), set()
    for stage in stages:
        assert stage["Name"] not in names, f"two stages {stage['Name']}"
        names.add(stage["Name"])
        of_stage = set()
        for order in sorted({it.get("RunOrder", 1) for it in stage["Actions"]}):
            actions = [it for it in stage["Actions"] if it.get("RunOrder", 1) == order]
            for action in actions:
                name, provider = action["Name"], action["ActionTypeId"]["Provider"]
                assert name not in of_stage, f"two actions {name} in {stage['Name']}"
                of_stage.add(name)
                inputs = [it["Name"] for it in action.get("InputArtifacts", [])]
                outputs = [it["Name"] for it in action.get("OutputArtifacts", [])]
                for kind, found, (least, most) in zip(("input", "output"), (inputs, outputs), ARTIFACTS[provider]):
                    assert least <= len(found) <= most, f"{name} ({provider}) has {len(found)} {kind} artifacts"
                assert set(inputs) <= made, f"{name} wants {set(inputs) - made}, which no earlier action makes"
                assert len(inputs) < 2 or provider != "CodeBuild" or action["Configuration"]["PrimarySource"] in inputs, name
                for key, value in action["Configuration"].items():
                    assert len(str(value)) <= LONGEST_VALUE, f"{name}: {key} has more than {LONGEST_VALUE} characters"
                    used = {found[0] for found in VARIABLE.findall(str(value))} - {"codepipeline"}
                    assert used <= namespaces, f"{name}: {key} uses {used - namespaces}, which no earlier action sets"
            outputs = [it["Name"] for action in actions for it in action.get("OutputArtifacts", [])]
            assert len(outputs) == len(set(outputs)) and not made & set(outputs), f"an artifact is made twice: {outputs}"
            made |= set(outputs)
            spaces = [action["Namespace"] for action in actions if "Namespace" in action]
            assert len(spaces) == len(set(spaces)) and not namespaces & set(spaces), f"a namespace is used twice: {spaces}"
            namespaces |= set(spaces)


class Execution:
    def __init__(self, number):
        self.id, self.number = str(uuid.uuid4()), number
        self.at, self.status = 0, "InProgress"
        self.artifacts, self.stages = {}, {}
        self.variables = {"codepipeline": {"PipelineExecutionId": self.id}}
        # The actions that are left of the stage that it is in.
        self.open = None
        # The approval that was asked for, and what the approver is told.
        self.asked, self.approval = None, None

    def shown(self):
        return {
            "id": self.id,
            "status": self.status,
            "stages": self.stages,
            "variables": self.variables,
            "approval": self.approval,
        }

    def with_variables(self, text):
        def put(found):
            namespace, name = found.groups()
            # A variable that wasn't produced fails the action.
            if name not in self.variables.get(namespace, {}):
                raise Stop(f"the variable {found[0]} was not produced")
            return self.variables[namespace][name]

        return VARIABLE.sub(put, text) if isinstance(text, str) else text


class Pipeline:
    """`actions.act` does an action and returns what it says, its variables and its artifacts by name; it raises [`Stop`]
    where the action fails. `actions.approval` asks for an approval, which is left to `answer`."""

    def __init__(self, declaration, actions):
        assert declaration["PipelineType"] == "V2"
        self.stages, self.mode, self.actions = declaration["Stages"], declaration["ExecutionMode"], actions
        self.triggers = declaration.get("Triggers", [])
        # Is told the execution's ID and the stage's name.
        self.stage_failed = lambda execution, stage: None
        assert self.mode in ("SUPERSEDED", "QUEUED"), self.mode
        check(self.stages)
        self.executions = []

    def is_triggered_by(self, branch):
        """https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-triggers.html"""
        pushes = [push for it in self.triggers for push in it["GitConfiguration"].get("Push", [])]
        return any(fnmatch.fnmatchcase(branch, it) for push in pushes for it in push["Branches"]["Includes"])

    def start(self):
        self.executions.append(Execution(len(self.executions) + 1))
        self.advance()

    def answer(self, approved):
        """Answers the approval that somebody waits for."""
        execution = next(it for it in self.executions if self.awaits(it))
        stage, action = self.stages[execution.at]["Name"], execution.open.pop(0)
        if approved:
            execution.stages[stage] = f"{action['Name']}: approved"
        else:
            execution.stages[stage] = f"{action['Name']} failed: rejected"
            self.fail(execution, stage)
        self.advance()

    def awaits(self, execution):
        return bool(execution.open) and execution.open[0]["ActionTypeId"]["Provider"] == "Manual"

    def advance(self):
        """Brings every execution as far as it can go."""
        while any([self.step(it) for it in list(self.executions) if it.status == "InProgress"]):
            pass

    def step(self, execution):
        """One action, or the way into the next stage. Whether anything has moved."""
        if execution.open is None:
            return self.enter(execution)
        stage = self.stages[execution.at]
        if self.awaits(execution):
            return self.ask(execution, stage["Name"])
        if not execution.open:
            # The stage is unlocked once all of its actions have succeeded.
            execution.at, execution.open = execution.at + 1, None
            if execution.at == len(self.stages):
                execution.status = "Succeeded"
            return True
        order = execution.open[0].get("RunOrder", 1)
        # Actions of one run order run side by side: one that fails doesn't keep the others from their end.
        together = [it for it in execution.open if it.get("RunOrder", 1) == order]
        failed = None
        for action in together:
            try:
                said = self.do(execution, action)
                if failed is None:
                    execution.stages[stage["Name"]] = f"{action['Name']}: {said}"
            except Stop as stop:
                # What a failed action was to hand on isn't there.
                failed = failed or f"{action['Name']} failed: {stop}"
                execution.stages[stage["Name"]] = failed
        execution.open = execution.open[len(together):]
        if failed:
            self.fail(execution, stage["Name"])
        return True

    def fail(self, execution, stage):
        execution.status, execution.open = "Failed", None
        self.stage_failed(execution.id, stage)

    def ask(self, execution, stage):
        """Asks for an approval, once."""
        action = execution.open[0]
        if execution.asked is action:
            return False
        execution.asked = action
        configuration = {key: execution.with_variables(value) for key, value in action["Configuration"].items()}
        self.actions.approval(configuration)
        execution.stages[stage] = f"{action['Name']}: waiting"
        execution.approval = configuration
        return False

    def enter(self, execution):
        stage = self.stages[execution.at]["Name"]
        others = [it for it in self.executions if it is not execution and it.status == "InProgress" and it.at == execution.at]
        if any(it.open is not None for it in others):
            if self.mode == "SUPERSEDED":
                # Of those that wait for a stage, the newest alone goes on.
                for older in (it for it in others if it.open is None and it.number < execution.number):
                    older.status = older.stages[stage] = "Superseded"
            execution.stages.setdefault(stage, "waiting")
            return False
        first = min([it.number for it in others if it.open is None] + [execution.number])
        if self.mode == "QUEUED" and first != execution.number:
            return False
        execution.stages.pop(stage, None)
        execution.open = sorted(self.stages[execution.at]["Actions"], key=lambda it: it.get("RunOrder", 1))
        return True

    def do(self, execution, action):
        configuration = {key: execution.with_variables(value) for key, value in action["Configuration"].items()}
        inputs = {it["Name"]: execution.artifacts.get(it["Name"]) for it in action.get("InputArtifacts", [])}
        provider = action["ActionTypeId"]["Provider"]
        for name, artifact in inputs.items():
            if artifact is None:
                raise Stop(f"the input artifact {name} doesn't exist")
            if artifact.is_clone and provider != "CodeBuild":
                raise Stop(f"the artifact {name} is a CODEBUILD_CLONE_REF, which {provider} actions can't read")
        said, variables, artifacts = self.actions.act(execution, action, configuration, inputs)
        if "Namespace" in action:
            execution.variables[action["Namespace"]] = variables
        for output in action.get("OutputArtifacts", []):
            execution.artifacts[output["Name"]] = artifacts[output["Name"]]
        return said
