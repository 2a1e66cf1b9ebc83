#!/usr/bin/env python3
"""Measures how far `taskcat render` agrees with evaluators that are independent of it.

    python3 tests/agreement.py [--taskcat PATH] [--corpus DIR] [--region REGION]… [--show KIND]

Every template of fixtures/agreement, and of real projects where they are at hand, is evaluated in several regions by
taskcat, by the library in aws-sam-cli that processes AWS::LanguageExtensions (AWS's own port of the transform), and by
cloud-radar. Parameters get their defaults, or values made up from what their declarations allow. What comes out under
Resources and Outputs is compared leaf by leaf, and every disagreement is sorted into a kind that KINDS explains. It
exits 1 if one is of no known kind. The first run makes a virtual environment under target/venvs.

A leaf is a value that is no list and no mapping, or an empty one; a condition is one too. It counts as written if it
stands so in the template, as evaluated alike if a function led both to the same value, and as left to AWS if taskcat
says *unknown* and the other leaves the function as it stands. Secrets, which taskcat hides, are compared hidden.
What depends on conditions is compared as if both had decided those alike, so that one doesn't count for many.

AWS's documentation decides who is right, in the CloudFormation user guide:

- "Parameters": each item of a list is trimmed; a Number is checked as a number and is a literal string wherever it is
  used ("untyped parameter", "comparison", "untrimmed").
- "Pseudo parameters": AWS::Partition and AWS::URLSuffix by partition ("partition"); AWS::NoValue alone removes a
  property ("empty text", "no value").
- "CloudFormation template format": YAML 1.1, but without its timestamps ("yaml").
- "Fn::Cidr", and "Fn::GetAtt" for `Outputs.<name>` of a nested stack ("left").
- "Fn::Sub" is silent on space around a name ("spaces"); cfn-lint, which AWS maintains, allows it, and so does taskcat.

What only AWS knows (ids, attributes, zones, stored values) is nobody's to make up: "invented", "account" and "stack" are
differences of purpose more than errors. cloud-radar is for unit tests, which want some value in each place.
"""

import argparse
import base64
import collections
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "target/venvs/agreement"
REGIONS = ["us-east-1", "eu-west-1", "ap-southeast-2", "cn-north-1", "us-gov-west-1"]

sys.path.insert(0, str(ROOT / "tests/python"))
from evaluators import ABSENT, SECTIONS, Extensions, Failed, Radar, decide, holds_call, is_call, solve  # noqa: E402

# Why an evaluator and taskcat differ, and who is right.
KINDS = {
    "invented": "they make up what only AWS knows: a logical ID for a `Ref`, `Queue.Arn`, zones, stored values; taskcat"
    " says *unknown*",
    "stack": "cloud-radar makes up the stack's name and ID; taskcat says *unknown*",
    "account": "they get an account ID in advance; `render` has none and says *unknown*",
    "empty text": "cloud-radar removes a property whose value is an empty text; only `AWS::NoValue` does that",
    "partition": "cloud-radar knows one partition; China and GovCloud have names and suffixes of their own",
    "untyped parameter": "they keep a default's type; a parameter's value is a text to CloudFormation",
    "comparison": "cloud-radar finds the text `0` and the number 0 different; CloudFormation compares texts",
    "untrimmed": "cloud-radar keeps the space around the items of a list; CloudFormation trims it",
    "python text": "aws-sam-cli writes Python's `True`, or a function as `{'Ref': …}`, into a text",
    "yaml": "cloud-radar reads a date as a date; CloudFormation's YAML has none, so it is a text",
    "left": "aws-sam-cli leaves what needs no AWS: `Fn::Cidr`, outputs of a nested stack that is at hand",
    "no value": "they leave something where `AWS::NoValue` stood, or drop the function around it",
    "spaces": "they don't take `${ Name }` for a name; AWS doesn't say, cfn-lint does as taskcat",
    "shape": "cloud-radar adds empty `Properties`",
    "refused": "taskcat says that CloudFormation refuses it (a key that a map lacks, a failed rule); they go on",
}

# The parts of an *unknown* that only AWS can answer.
ONLY_AWS_KNOWS = re.compile(
    r"physical ID of \w+|attribute \S+ of \w+|output \w+ of (nested )?stack \w+|SSM parameter .+|export .+"
    r"|availability zones of \S+|condition \w+|AWS::(AccountId|StackName|StackId|NotificationARNs)"
)


def main():
    options = arguments()
    enter_venv()
    tally = Tally(options.show)
    evaluators = [Extensions(), Radar()]
    for file in templates(options.corpus):
        loaded = list(load(file, evaluators, tally))
        for region in options.region or REGIONS:
            measure(file, region, options.taskcat, loaded, tally)
    tally.print()
    sys.exit(1 if tally.unexplained else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--taskcat", default=ROOT / "target/debug/taskcat", help="the binary (target/debug/taskcat)")
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared/corpus", help="a folder of real projects")
    parser.add_argument("--region", action="append", help="one of the regions; may be repeated")
    parser.add_argument("--show", help="print disagreements of this kind, `?` for none, or `all`")
    return parser.parse_args()


def enter_venv():
    """Goes on in the virtual environment that has the evaluators."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        return
    subprocess.run([ROOT / "tests/setup.sh", "agreement"], check=True)
    os.execv(VENV / "bin/python", [str(VENV / "bin/python"), *sys.argv])


# Templates and what they are given


def templates(corpus):
    """Files that hold resources: the fixtures, then the real projects' in a fixed order."""
    yield from sorted(file for file in (ROOT / "fixtures/agreement").iterdir() if file.suffix in (".yaml", ".json"))
    if corpus.is_dir():
        suffixes = {".yaml", ".yml", ".json", ".template"}
        found = (file for file in corpus.rglob("*") if file.suffix in suffixes and file.is_file())
        sources = (file for file in found if "expected" not in file.relative_to(corpus).parts)
        yield from sorted(file for file in sources if is_template(file))


def is_template(file):
    try:
        text = file.read_text()
    except UnicodeDecodeError:
        return False
    return bool(re.search(r"^Resources:|^\s*\"Resources\"\s*:", text, re.M)) and "Type" in text


def given(declared, region):
    """A value for every parameter without a default, as its declaration allows."""
    values = {}
    for name, parameter in (declared or {}).items():
        if "Default" not in parameter:
            values[name] = made_up(name, parameter, region)
    return values


def made_up(name, parameter, region):
    kind = str(parameter.get("Type", "String"))
    if parameter.get("AllowedValues"):
        return text(parameter["AllowedValues"][0])
    zones = [f"{region}{letter}" for letter in "abcd"]
    known = {
        "Number": text(parameter.get("MinValue", 1)),
        "List<Number>": "1,2",
        "AWS::EC2::AvailabilityZone::Name": zones[0],
        "List<AWS::EC2::AvailabilityZone::Name>": ",".join(zones),
        "AWS::EC2::VPC::Id": "vpc-0123456789abcdef0",
        "AWS::EC2::Subnet::Id": f"subnet-{zlib.crc32(name.encode()):08x}",
        "List<AWS::EC2::Subnet::Id>": ",".join(f"subnet-0123456789abcdef{at}" for at in range(4)),
        "AWS::EC2::SecurityGroup::Id": "sg-0123456789abcdef0",
        "List<AWS::EC2::SecurityGroup::Id>": "sg-0123456789abcdef0",
        "AWS::EC2::Image::Id": "ami-0123456789abcdef0",
        "AWS::EC2::KeyPair::KeyName": "key",
        "AWS::Route53::HostedZone::Id": "Z23YXV4OVPL04A",
    }
    if kind in known:
        return known[kind]
    return fitting(name, parameter)


def fitting(name, parameter):
    """The first of some usual texts that the pattern and the lengths allow, for secrets one that stands out."""
    candidates = [
        "value", "Passw0rd!word", "a-long-value-of-some-length", "10.0.0.0/16", "10.0.0.1", "1", "example.com",
        "https://example.com/a", "a@example.com", "bucket-name", "prefix/", "arn:aws:iam::111122223333:role/name",
        "arn:aws:secretsmanager:us-east-1:111122223333:secret:name", "111122223333", "subnet-0123456789abcdef0",
        "vpc-0123456789abcdef0", "d-0123456789", "ABCDEFGHIJ", "",
    ]  # fmt: skip
    if is_secret(parameter):
        candidates.insert(0, "Hidden5ecret")
    for candidate in candidates:
        least, most = int(parameter.get("MinLength", 0)), int(parameter.get("MaxLength", 4096))
        try:
            matches = re.fullmatch(parameter.get("AllowedPattern", ".*"), candidate)
        except re.error:
            matches = True
        if matches and least <= len(candidate) <= most:
            return candidate
    return name


def is_secret(parameter):
    return str(parameter.get("NoEcho")).lower() == "true"


def secrets(declared, values):
    """The values that taskcat hides, longest first."""
    hidden = [name for name, parameter in (declared or {}).items() if is_secret(parameter)]
    texts = {text(values.get(name, declared[name].get("Default", ""))) for name in hidden}
    return sorted(texts - {""}, key=len, reverse=True)


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


# taskcat


class Refused(Exception):
    pass


def render(taskcat, file, region, values):
    """What taskcat makes of the template, and why it thinks that CloudFormation would refuse it."""
    command = [taskcat, "render", file, "--region", region, "--format", "json"]
    for name, value in values.items():
        command += ["--parameter", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        return json.loads(done.stdout), errors(done.stderr)
    except json.JSONDecodeError:
        raise Refused(errors(done.stderr) or [f"exit code {done.returncode}"]) from None


def errors(printed):
    """The messages of the errors, without warnings and what is shown of the template."""
    return re.findall(r"^error: (.*)", printed, re.M)


def conditions_of(taskcat, template, region, values):
    """What taskcat makes of the conditions, which `render` does not print: a template shows each in a property."""
    names = [name for name in template.get("Conditions") or {} if not name.startswith("Fn::")]
    probe = {"Type": "AWS::SSM::Parameter", "Properties": {name: {"Fn::If": [name, "true", "false"]} for name in names}}
    shown = {key: template[key] for key in ("Parameters", "Mappings", "Conditions", "Transform") if template.get(key)}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({**shown, "Resources": {"Probe": probe}}, file, default=str)
        file.flush()
        done, _ = render(taskcat, file.name, region, values)
    truths = done["Resources"]["Probe"].get("Properties") or {}
    return {name: truth == "true" if isinstance(truth, str) else truth for name, truth in truths.items()}


# Comparison


def load(file, evaluators, tally):
    """The template as each evaluator reads it."""
    for evaluator in evaluators:
        try:
            template = evaluator.load(file)
        except Exception as error:
            tally.note(evaluator.name, file, "", "", None, Failed(error), "unread")
            continue
        if isinstance(template, dict) and isinstance(template.get("Resources"), dict):
            yield evaluator, template


def measure(file, region, taskcat, loaded, tally):
    ours = None
    for evaluator, template in loaded:
        values = given(template.get("Parameters"), region)
        try:
            if ours is None:
                ours, refusals = render(taskcat, file, region, values)
                tally.refused(file, region, refusals)
            truths = conditions_of(taskcat, template, region, values) if template.get("Conditions") else {}
        except Refused as refused:
            tally.refused(file, region, refused.args[0])
            return
        leaves = list(compare(truths, decide(evaluator, template, values, region), ("Conditions",)))
        # What depends on conditions is compared as if they agreed on those.
        settled = {**template, "Conditions": settle(template.get("Conditions") or {}, truths)}
        theirs = solve(evaluator, settled, values, region)
        hidden = secrets(template.get("Parameters"), values)
        texts = None
        for section in SECTIONS:
            leaves += compare(ours.get(section) or {}, theirs[section], (section,))
        for path, mine, other, verdict in leaves:
            if verdict == "agreed" and is_written(template, path, mine):
                verdict = "written"
            elif verdict == "?" and mine is ABSENT and refusals:
                verdict = "refused"
            elif verdict == "?" and mine in (masked(other, hidden), masked(decoded(other), hidden)):
                verdict = "agreed"
            elif verdict == "comparison":
                # It has to decide alike when it is given the texts that CloudFormation makes of everything.
                texts = texts or decide(evaluator, worded_conditions(template), values, region)
                verdict = verdict if texts.get(path[-1]) == mine else "?"
            tally.note(evaluator.name, file, region, "/".join(map(str, path)), mine, other, verdict)


def is_written(template, path, value):
    """Whether the value stands in the template as it is, so that nobody had to evaluate anything."""
    for key in path:
        try:
            template = template[key]
        except (KeyError, IndexError, TypeError):
            return False
    return template == value


def settle(conditions, truths):
    """The conditions with what taskcat decided in the place of those that it could decide."""
    constants = {True: {"Fn::Equals": ["a", "a"]}, False: {"Fn::Equals": ["a", "b"]}}
    return {
        name: constants[truths[name]] if isinstance(truths.get(name), bool) else condition
        for name, condition in conditions.items()
    }


def worded_conditions(template):
    """The template with texts for all numbers and booleans that its conditions may compare."""
    parameters = {
        name: {**parameter, "Default": worded(parameter["Default"])} if "Default" in parameter else parameter
        for name, parameter in (template.get("Parameters") or {}).items()
    }
    compared = {key: worded(template[key]) for key in ("Mappings", "Conditions") if template.get(key)}
    return {**template, **compared, "Parameters": parameters}


def worded(value):
    if isinstance(value, dict):
        return {key: worded(item) for key, item in value.items()}
    return [worded(item) for item in value] if isinstance(value, list) else text(value)


def masked(value, hidden):
    """A text with its secrets masked as `render` masks them."""
    for secret in hidden if isinstance(value, str) else ():
        pattern = re.escape(secret) if len(secret) >= 4 else rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])"
        value = re.sub(pattern, "****", value)
    return value


def compare(ours, theirs, path):
    """(path, ours, theirs, verdict) of every leaf: `agreed`, `nobody knows`, `failed`, a kind, or `?`."""
    if isinstance(theirs, Failed):
        yield from ((at, leaf, theirs, "failed") for at, leaf in leaves_of(ours, path))
    elif is_unknown(ours) or is_call(theirs) or ours is ABSENT or theirs is ABSENT:
        yield path, ours, theirs, judge(ours, theirs, path)
    elif isinstance(ours, dict) and isinstance(theirs, dict) and (ours or theirs):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            yield from compare(ours.get(key, ABSENT), theirs.get(key, ABSENT), (*path, key))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs) and ours:
        for at, (mine, other) in enumerate(zip(ours, theirs)):
            yield from compare(mine, other, (*path, at))
    elif isinstance(ours, list) and isinstance(theirs, list):
        yield from compare_lists(ours, theirs, path)
    elif ours == theirs and type(ours) is type(theirs):
        yield path, ours, theirs, "agreed"
    else:
        yield path, ours, theirs, judge(ours, theirs, path)


def compare_lists(ours, theirs, path):
    """Lists of different lengths: what stands for AWS::NoValue, or may, is taken out of theirs."""
    kept = [item for item in theirs if item not in ("", None, {"Ref": "AWS::NoValue"})]
    if ours == theirs:
        yield path, ours, theirs, "agreed"
    elif any(isinstance(item, Failed) for item in theirs):
        yield from ((at, leaf, next(filter(failed, theirs)), "failed") for at, leaf in leaves_of(ours, path))
    elif len(kept) == len(ours) < len(theirs):
        yield path, ours, theirs, "no value"
        yield from compare(ours, kept, path) if ours else ()
    else:
        yield path, ours, theirs, judge(ours, theirs, path)


def failed(value):
    return isinstance(value, Failed)


def leaves_of(value, path):
    if isinstance(value, dict) and value and not is_unknown(value):
        for key, item in value.items():
            yield from leaves_of(item, (*path, key))
    elif isinstance(value, list) and value:
        for at, item in enumerate(value):
            yield from leaves_of(item, (*path, at))
    else:
        yield path, value


def is_unknown(value):
    return isinstance(value, dict) and list(value) == ["Unknown"]


def judge(ours, theirs, path):
    """Why the two differ, or that nobody knows the value."""
    if str(path[-1]).endswith("NoValue"):
        return "no value"  # The fixtures call properties so that hold one inside of a function.
    if is_unknown(ours):
        return judge_unknown(ours["Unknown"], theirs)
    if ours is ABSENT:
        return "shape" if theirs == {} else "no value" if theirs in ("", None, {"Ref": "AWS::NoValue"}) else "?"
    if theirs is ABSENT:
        if isinstance(ours, dict) and is_unknown(ours.get("Condition")):
            return judge_unknown(ours["Condition"]["Unknown"], "")
        return "empty text" if ours == "" else "?"
    if holds_call(theirs):
        return "left"
    if isinstance(theirs, (datetime.date, datetime.datetime)):
        return "yaml"
    if isinstance(ours, str) and isinstance(theirs, str):
        return judge_texts(ours, theirs)
    if isinstance(ours, str) and not isinstance(theirs, (dict, list)) and text(theirs) == ours:
        return "untyped parameter"
    if path[0] == "Conditions" and isinstance(theirs, bool):
        return "comparison"
    return "?"


def judge_unknown(reason, theirs):
    theirs = decoded(theirs)
    if isinstance(theirs, str) and re.search(r"\{'(Ref|Fn::)", theirs):
        return "python text"
    if holds_call(theirs) or isinstance(theirs, str) and re.search(r"\$\{[^!]|\{\{resolve:", theirs):
        return "nobody knows"
    if reason.startswith("parameter "):
        return "refused"  # Every parameter has got a value, but not every value is allowed.
    if not all(ONLY_AWS_KNOWS.fullmatch(part) for part in reason.split(", ")):
        return "?"
    if re.search(r"AWS::Stack(Name|Id)", reason):
        return "stack"
    return "account" if "AWS::AccountId" in reason else "invented"


def decoded(value):
    """What Fn::Base64 made a text of, or the value as it is."""
    try:
        return base64.b64decode(value, validate=True).decode() if len(value) >= 8 else value
    except (TypeError, ValueError):
        return value


def judge_texts(ours, theirs):
    ours, theirs = decoded(ours), decoded(theirs)
    partitions = [("aws-cn", "aws"), ("aws-us-gov", "aws"), ("amazonaws.com.cn", "amazonaws.com")]
    commercial = ours
    for theirs_alone, everywhere in partitions:
        commercial = commercial.replace(theirs_alone, everywhere)
    if commercial == theirs:
        return "partition"
    if ours == theirs.strip():
        return "untrimmed"
    if "${ " in theirs:
        return "spaces"
    if "${" in theirs and "${" not in ours:
        return "left"
    if re.search(r"\w+\.Outputs\.\w+", theirs):
        return "invented"
    if ours.lower() == theirs.lower() or re.search(r"\{'(Ref|Fn::)|\['", theirs):
        return "python text"
    return "?"


class Tally:
    """Counts verdicts and prints them."""

    def __init__(self, show):
        self.show = show
        self.counts = collections.defaultdict(collections.Counter)
        self.failures = collections.defaultdict(collections.Counter)
        self.runs = set()
        self.refusals = {}
        self.examples = {}

    @property
    def unexplained(self):
        return sum(counts["?"] for counts in self.counts.values())

    def note(self, evaluator, file, region, path, ours, theirs, verdict):
        if region:
            self.runs.add((file, region))
        self.counts[evaluator][verdict] += 1
        if verdict in ("failed", "unread"):
            self.failures[evaluator][theirs.words[:100]] += 1
        line = f"{evaluator} {short(file)} {region} {path}\n  ours   {show(ours)}\n  theirs {show(theirs)}"
        if verdict in KINDS or verdict == "?":
            self.examples.setdefault((evaluator, verdict), line)
        if self.show == verdict or self.show == "all" and verdict in KINDS:
            print(f"{verdict}: {line}")

    def refused(self, file, region, messages):
        for message in messages:
            self.refusals.setdefault((file, message), set()).add(region)

    @staticmethod
    def compared(counts):
        return counts.total() - counts["failed"] - counts["unread"]

    def row(self, name, why, count):
        cells = [count(counts) for counts in self.counts.values()]
        if any(cells):
            print(f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} | {why} |")

    def print(self):
        files = {file for file, _ in self.runs}
        regions = ", ".join(sorted({region for _, region in self.runs}))
        print(f"{len(files)} templates, {len(self.runs)} evaluations, regions: {regions}")
        print()
        print(f"| | {' | '.join(self.counts)} | who is right |")
        print("|---|" + "---:|" * len(self.counts) + "---|")
        self.row("**leaves compared**", "", self.compared)
        self.row("as written", "", lambda counts: counts["written"])
        self.row("evaluated alike", "", lambda counts: counts["agreed"])
        self.row("left to AWS by both", "", lambda counts: counts["nobody knows"])
        for kind, why in [*KINDS.items(), ("?", "of no known kind")]:
            self.row(kind, why, lambda counts, kind=kind: counts[kind])
        self.row("not evaluated by it", "", lambda counts: counts["failed"] + counts["unread"])
        print()
        print("| not evaluated by | leaves | its words |")
        print("| --- | --- | --- |")
        for evaluator, words in self.failures.items():
            for said, leaves in words.most_common(5):
                print(f"| {evaluator} | {leaves} | {said.replace('|', '/')} |")
        print()
        print("| refused by taskcat | regions | its words |")
        print("| --- | --- | --- |")
        for (file, message), regions in self.refusals.items():
            print(f"| {short(file)} | {len(regions)} | {message.replace('|', '/')} |")
        for (_, kind), line in self.examples.items():
            if kind == "?":
                print(f"of no known kind, for example: {line}", file=sys.stderr)


def short(file):
    return os.path.relpath(file, ROOT)


def show(value):
    if value is ABSENT:
        return "(absent)"
    return json.dumps(value, default=lambda other: getattr(other, "words", str(other)))[:300]


if __name__ == "__main__":
    main()
