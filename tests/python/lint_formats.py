"""Checks the outputs of `taskcat lint` against what is published about their formats: SARIF against the JSON Schema of
OASIS, JUnit against the schema of Jenkins's xUnit plugin, GitLab's code quality report and the workflow commands of
GitHub Actions against their documentation. Prints every fault, a line each, and fails if there is one.

    lint_formats.py FOLDER        with lint.sarif, lint.xml, gitlab.json and github.txt
"""

import json
import pathlib
import re
import sys

import jsonschema
import xmlschema

SARIF = pathlib.Path(sys.prefix) / "sarif-2.1.0.json"
JUNIT = pathlib.Path(sys.prefix) / "junit-10.xsd"

# https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "location", "severity"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^(?![./])"},
                    "lines": {"type": "object", "required": ["begin"], "properties": {"begin": {"type": "integer", "minimum": 1}}},
                },
            },
        },
    },
}

# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-a-notice-message
GITHUB = re.compile(r"::(error|warning|notice) title=[^:,]+,file=[^:,]+,line=[1-9]\d*,col=[1-9]\d*::.+")

# https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
def needed_by_code_scanning(log):
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            if rules[result["ruleIndex"]]["id"] != result["ruleId"]:
                yield f"rule {result['ruleIndex']} is not {result['ruleId']}"
            place = result["locations"][0]["physicalLocation"]
            if re.match(r"/|\w+:", place["artifactLocation"]["uri"]):
                yield f"{place['artifactLocation']['uri']} is not relative"
            if place["region"]["startLine"] < 1 or not result["message"]["text"]:
                yield f"a result of {result['ruleId']} has no line or no message"


def main():
    folder = pathlib.Path(sys.argv[1])
    read = lambda name: (folder / name).read_text()
    faults = []
    sarif = json.loads(SARIF.read_text())
    jsonschema.Draft7Validator.check_schema(sarif)
    log = json.loads(read("lint.sarif"))
    faults += [f"sarif: {error.json_path}: {error.message}" for error in jsonschema.Draft7Validator(sarif).iter_errors(log)]
    faults += [f"sarif: {fault}" for fault in needed_by_code_scanning(log)]
    junit = xmlschema.XMLSchema(str(JUNIT))
    faults += [f"junit: {error.path}: {error.reason}" for error in junit.iter_errors(read("lint.xml"))]
    issues = json.loads(read("gitlab.json"))
    faults += [f"gitlab: {error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(GITLAB).iter_errors(issues)]
    prints = [issue["fingerprint"] for issue in issues]
    faults += [f"gitlab: {it} is there twice" for it in set(prints) if prints.count(it) > 1]
    commands = read("github.txt").splitlines()
    faults += [f"github: {line}" for line in commands if not GITHUB.fullmatch(line)]
    if not (len(commands) == len(issues) == len(log["runs"][0]["results"]) > 0):
        faults.append("the formats differ in the number of findings")
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


main()
