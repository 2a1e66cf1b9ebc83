"""The evaluators that tests/agreement.py compares taskcat with: what they make of a template, as far as they can.

Both are libraries of Python packages; `run` uses their public functions. Where one refuses a template as a whole, `solve`
asks again for each entry, then for each property and what is in it, so that one expression that it doesn't know costs one
leaf and no more.
"""

import contextlib
import copy
import io
import json
import re

ACCOUNT = "111122223333"
SECTIONS = ("Resources", "Outputs")
ABSENT = object()


class Failed:
    """Stands where an evaluator raised an error."""

    def __init__(self, error):
        self.words = " ".join(f"{type(error).__name__}: {error}".split())


class Extensions:
    """The library in aws-sam-cli that processes AWS::LanguageExtensions: AWS's own port of the transform."""

    name = "aws-sam-cli"
    PROBE = "TaskcatAgreementProbe"

    def load(self, file):
        from samcli.yamlhelper import yaml_parse

        return json.loads(json.dumps(yaml_parse(file.read_text()), default=str))

    def run(self, template, values, region):
        from samcli.lib.cfn_language_extensions.api import process_template
        from samcli.lib.cfn_language_extensions.models import PseudoParameterValues

        template = copy.deepcopy(template)
        conditions = [name for name in template.get("Conditions") or {} if not name.startswith("Fn::")]
        probes = {name: {"Fn::If": [name, "true", "false"]} for name in conditions}
        template["Resources"][self.PROBE] = {"Type": "AWS::SSM::Parameter", "Properties": probes}
        pseudo = PseudoParameterValues(region=region, account_id=ACCOUNT)
        done = process_template(template, parameter_values=dict(values), pseudo_parameters=pseudo)
        truths = done["Resources"].pop(self.PROBE).get("Properties", {})
        for section in ("Resources", "Outputs"):
            for name, entry in list((done.get(section) or {}).items()):
                # It leaves it to CloudFormation to drop what a condition rules out, but it does know.
                if isinstance(entry, dict) and isinstance(entry.get("Condition"), str):
                    if truths.get(entry.pop("Condition")) == "false":
                        del done[section][name]
        return {**done, "Conditions": {name: truth == "true" for name, truth in truths.items()}}


class Radar:
    """cloud-radar's Template."""

    name = "cloud-radar"

    def __init__(self):
        from cloud_radar.cf.unit import functions

        # It would fetch the zones from the network.
        functions.get_region_azs = lambda region: [f"{region}{letter}" for letter in "abc"]

    def load(self, file):
        from cloud_radar.cf.unit import Template

        with contextlib.redirect_stdout(io.StringIO()):
            return Template.from_yaml(file).template

    def run(self, template, values, region):
        from cloud_radar.cf.unit import Template

        with contextlib.redirect_stdout(io.StringIO()):
            return Template(copy.deepcopy(template)).transform(values).render(values, region)


def solve(evaluator, template, values, region):
    """What an evaluator makes of Resources and Outputs, with a Failed where it can't."""
    try:
        done = evaluator.run(template, values, region)
        return {section: done.get(section) or {} for section in SECTIONS}
    except Exception as error:
        whole = Failed(error)
    truths = decide(evaluator, template, values, region)
    conditions = template.get("Conditions") or {}
    template = {**template, "Conditions": {name: conditions[name] for name in conditions if is_decided(truths.get(name))}}
    solved = {section: {} for section in SECTIONS}
    stubs = {name: stub(body) for name, body in template["Resources"].items() if not name.startswith("Fn::")}
    for section in SECTIONS:
        for name, body in (template.get(section) or {}).items():
            if name.startswith("Fn::"):
                solved[section][name] = whole
                continue
            if isinstance(body, dict) and truths.get(body.get("Condition")) is False:
                continue

            def run(part, section=section, name=name):
                alone, given = excerpt(template, stubs, values, part)
                alone[section][name] = part
                return evaluator.run(alone, given, region)[section].get(name, ABSENT)

            entry = pieces(run, body)
            if entry is not ABSENT:
                solved[section][name] = entry
    return solved


def excerpt(template, stubs, values, part):
    """What of the template a part of it names, so that evaluating it is quick, and the values for that."""
    words = json.dumps([part, template["Conditions"]], default=str)
    resources = {name: body for name, body in stubs.items() if name in words}
    parameters = {name: body for name, body in (template.get("Parameters") or {}).items() if name in words}
    alone = {"Conditions": template["Conditions"], "Parameters": parameters, "Outputs": {}}
    alone["Resources"] = resources or {"Stub": stub({})}
    if "Transform" in template:
        alone["Transform"] = template["Transform"]
    if "Fn::FindInMap" in words:
        alone["Mappings"] = template.get("Mappings") or {}
    return alone, {name: value for name, value in values.items() if name in parameters}


def decide(evaluator, template, values, region):
    """What an evaluator makes of the conditions, with a Failed where it can't."""
    bare = {**template, "Resources": {"Stub": stub({})}, "Outputs": {}}
    try:
        return evaluator.run(bare, values, region).get("Conditions") or {}
    except Exception:
        truths = {}
    sound, pending = {}, dict(template.get("Conditions") or {})
    while pending:
        before = len(pending)
        for name, condition in list(pending.items()):
            attempt, named = excerpt({**bare, "Conditions": {**sound, name: condition}}, {}, values, {})
            try:
                truths.update(evaluator.run(attempt, named, region)["Conditions"])
                sound[name] = pending.pop(name)
            except Exception as error:
                truths[name] = Failed(error)
        if len(pending) == before:
            break  # Otherwise one may have been waiting for another that stands below it.
    return truths


def is_decided(truth):
    return truth is not None and not isinstance(truth, Failed)


def stub(body):
    kind = body.get("Type") if isinstance(body, dict) else None
    return {"Type": kind or "AWS::SQS::Queue", "Properties": {}}


def pieces(run, body):
    """An entry, evaluated as a whole if that goes, else one key after the other, and so on downwards."""
    try:
        return run(body)
    except Exception as error:
        if not isinstance(body, dict):
            return Failed(error)
    skeleton = {key: body[key] for key in ("Type",) if key in body}
    solved = dict(skeleton)
    for key, part in body.items():
        if key == "DependsOn":
            solved[key] = part
        elif key not in ("Type", "Condition"):
            solved[key] = piece(lambda value, key=key: run({**skeleton, key: value}).get(key, ABSENT), part)
    return {key: value for key, value in solved.items() if value is not ABSENT}


def piece(run, part):
    try:
        return run(part)
    except Exception as error:
        failed = Failed(error)
    if isinstance(part, dict) and part and not is_call(part):
        items = {key: piece(lambda value, key=key: run({key: value}).get(key, ABSENT), item) for key, item in part.items()}
        return {key: value for key, value in items.items() if value is not ABSENT}
    if isinstance(part, list) and part:
        items = [piece(lambda value: next(iter(run([value])), ABSENT), item) for item in part]
        return [value for value in items if value is not ABSENT]
    return failed


def is_call(value):
    """An intrinsic function that was left as it is."""
    return isinstance(value, dict) and len(value) == 1 and bool(re.match(r"Ref$|Fn::", str(next(iter(value)))))


def holds_call(value):
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return is_call(value) or any(holds_call(item) for item in items)
