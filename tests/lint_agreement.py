#!/usr/bin/env python3
"""Compares `taskcat lint` with cfn-lint: their errors over the templates of this repository and of ../shared/corpus, if it
is there, and the time of whole processes for one project and for 100 templates, in the same run.

    tests/lint_agreement.py --binary target/release/taskcat [--cfn-lint PROGRAM] [--no-time]

Each template is linted by itself, in us-east-1, by both. Errors are compared by template and rule; the engine's rules that
begin with F count as cfn-lint's of the same check. Every kind of difference has to be explained in EXPLAINED: the script
fails if one isn't. It also fails if the times are not at least 4 (a project) and 40 (100 templates) times shorter.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CFN_LINT = ROOT / "target/venvs/taskcat/bin/cfn-lint"

# Rules that have another number in cfn-lint, as in src/lint/selection.rs; those with several are alike.
SAME = {
    "F0001": "E1001", "F0002": "E1001", "F0005": "E1001", "F0003": "E2010", "F0004": "E6010", "F0007": "E3010",
    "F0006": "E3006", "F0010": "E1019", "F0011": "E1003", "F0013": "E1028", "F0014": "E8001", "F0015": "E2015",
    "F0016": "E2001", "F0017": "E7001", "F0018": "E3036", "F0040": "E6002", "F0050": "E7001", "F1010": "E1020",
    "F1012": "E1011", "F1018": "E1019", "F1020": "E1020", "E1010": "E1020", "F2012": "E2015", "F3016": "E3035",
}  # fmt: skip

# Why the two differ, by who reports the error and its rule: the reason, and the page or file that shows it.
REFERENCE = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference"
GUIDE = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide"
EXPLAINED = {
    ("cfn-lint", "E1700"): (
        "only names of resources, parameters and outputs have to be alphanumeric; a template of AWS's own quickstarts has a "
        "rule `X86_64Instance`",
        f"{GUIDE}/rules-section-structure.html",
    ),
    ("cfn-lint", "E3002"): ("the engine gives up on the value of an IPv6 Fn::Cidr, and so on its resource", "fixtures/agreement"),
    ("cfn-lint", "E3003"): ("as E3002", "fixtures/agreement"),
    ("cfn-lint", "E3058"): ("as E3002", "fixtures/agreement"),
    ("cfn-lint", "E3009"): ("CloudFormation doesn't validate the metadata attribute", f"{REFERENCE}/aws-attribute-metadata.html"),
    ("cfn-lint", "E3690"): ("the engine reports it as E9006", "https://docs.rs/cloudformation-validate-rules/1.14.0/src/rules/registry.rs.html"),
    ("cfn-lint", "E3691"): (
        "the valid versions of a database engine are those that RDS lists at the time; the engine doesn't check them",
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html",
    ),
    ("cfn-lint", "E6101"): (
        "Data of a wait condition is a JSON text, which AWS's example outputs",
        f"{REFERENCE}/aws-resource-cloudformation-waitcondition.html",
    ),
    ("cfn-lint", "E8003"): (
        "Fn::ValueOf returns a string, which a rule may compare",
        f"{REFERENCE}/intrinsic-function-reference-rules.html",
    ),
    ("taskcat", "E3025"): (
        "the instance class isn't offered for the engine; cfn-lint reports E3691 on the engine instead",
        "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Concepts.DBInstanceClass.SupportAurora.html",
    ),
    ("taskcat", "E9006"): ("cfn-lint reports it as E3690", "https://docs.rs/cloudformation-validate-rules/1.14.0/src/rules/registry.rs.html"),
}  # fmt: skip


def templates():
    """All files that look like templates, by folder."""
    roots = [ROOT / "fixtures"]
    roots += [path for path in (ROOT / "../shared/corpus", ROOT / "../../shared/corpus") if path.is_dir()][:1]
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.suffix not in (".yaml", ".yml", ".json", ".template") or not path.is_file() or "submodules" in path.parts:
                continue
            if path.is_relative_to(ROOT / "fixtures/templates/broken") or path.is_relative_to(ROOT / "fixtures/yaml"):
                continue  # Not templates, on purpose.
            text = path.read_text(errors="replace")
            if "Resources" in text and ("Type: AWS::" in text or '"AWS::' in text) and "ndjson" not in path.name:
                if path.name.startswith(".taskcat") or path.is_relative_to(ROOT / "fixtures/recorded"):
                    continue
                if path.is_relative_to(ROOT / "fixtures/functions") or path.is_relative_to(ROOT / "fixtures/events"):
                    continue
                if not is_json_table(path, text):
                    yield path


def is_json_table(path, text):
    if path.suffix != ".json":
        return False
    try:
        return "Resources" not in json.loads(text)
    except ValueError:
        return False


def run(command, folder):
    begin = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done, time.monotonic() - begin


def copied(paths, folder):
    """Copies the templates, so that no settings but these count, and returns their names."""
    (folder / ".cfnlintrc").write_text("regions: [us-east-1]\n")
    names = []
    for index, path in enumerate(paths):
        name = f"{index:04}-{path.name}"
        shutil.copyfile(path, folder / name)
        names.append(name)
    return names


def normal(rule):
    rule = SAME.get(rule, rule)
    return "E" + rule[1:] if rule[0] == "F" and rule[1:].isdigit() else rule


def errors_of_taskcat(binary, names, folder):
    done, _ = run([binary, "lint", "--format", "json", *names], folder)
    errors = collections.defaultdict(dict)
    for finding in json.loads(done.stdout):
        if finding["severity"] == "error":
            errors[finding["file"]].setdefault(normal(finding["rule"]), (finding["rule"], finding["line"], finding["message"]))
    return errors


def errors_of_cfn_lint(program, names, folder):
    done, _ = run([program, "--format", "json", "--template", *names], folder)
    errors = collections.defaultdict(dict)
    for match in json.loads(done.stdout):
        if match["Level"] == "Error":
            rule, line = match["Rule"]["Id"], match["Location"]["Start"]["LineNumber"]
            errors[match["Filename"]].setdefault(normal(rule), (rule, line, match["Message"]))
    return errors


def agreement(binary, program, paths):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        names = copied(paths, folder)
        ours = errors_of_taskcat(binary, names, folder)
        theirs = errors_of_cfn_lint(program, names, folder)
    equal, kinds = 0, collections.defaultdict(list)
    for path, name in zip(paths, names):
        own, other = ours[name], theirs[name]
        equal += own.keys() == other.keys()
        for who, rules, known in (("taskcat", own, other), ("cfn-lint", other, own)):
            for rule in rules.keys() - known.keys():
                kinds[who, rule].append((path, *rules[rule]))
    print(f"errors agree on {equal} of {len(paths)} templates")
    unexplained = 0
    for (who, rule), found in sorted(kinds.items()):
        why = EXPLAINED.get((who, rule))
        unexplained += why is None
        said = f"{why[0]} ({why[1]})" if why else "NOT EXPLAINED"
        print(f"{who} alone reports {rule} in {len(found)}: {said}")
        if why is None:
            for path, own_rule, line, message in found[:5]:
                print(f"    {path}:{line} {own_rule} {message}")
    if unexplained:
        print(f"error: {unexplained} kinds of differences are not explained in EXPLAINED", file=sys.stderr)
    return unexplained == 0


def fastest(command, folder, times):
    return min(run(command, folder)[1] for _ in range(times))


def times(binary, program, paths):
    good = True
    project = ROOT / "fixtures/projects/first-run"
    own = fastest([binary, "lint", "-p", str(project)], project, 5)
    files = sorted(str(path.relative_to(project)) for path in (project / "templates").glob("*.yaml"))
    other = fastest([program, "--template", *files], project, 3)
    good &= compare("one project", own, other, 4)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        hundred = (paths * (100 // len(paths) + 1))[:100]
        names = copied(hundred, folder)
        own = fastest([binary, "lint", *names], folder, 3)
        other = fastest([program, "--template", *names], folder, 1)
        good &= compare("100 templates", own, other, 40)
    return good


def compare(what, own, other, least):
    print(f"{what}: taskcat {own:.2f} s, cfn-lint {other:.2f} s: {other / own:.1f} times (at least {least})")
    return other / own >= least


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=ROOT / "target/release/taskcat", type=pathlib.Path)
    parser.add_argument("--cfn-lint", default=CFN_LINT, type=pathlib.Path)
    parser.add_argument("--no-time", action="store_true", help="compare the errors only")
    arguments = parser.parse_args()
    if arguments.cfn_lint == CFN_LINT:
        subprocess.run([ROOT / "tests/setup.sh", "taskcat"], check=True)
    os.environ["PATH"] = f"{arguments.cfn_lint.parent}:{os.environ['PATH']}"
    binary, program = str(arguments.binary.resolve()), str(arguments.cfn_lint.resolve().parent / "cfn-lint")
    print(subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip())
    paths = list(templates())
    good = agreement(binary, program, paths)
    if not arguments.no_time:
        good &= times(binary, program, paths)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
