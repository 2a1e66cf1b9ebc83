"""Checks the files of reports against published schemas: junit.xml against that of Jenkins's xUnit plugin, report.json
against the JSON Schema that the project publishes. Prints every fault, a line each, and fails if there is one.

    schemas.py SCHEMAS FOLDER...        SCHEMAS is the project's folder of that name
"""

import json
import pathlib
import sys

import jsonschema
import xmlschema

JUNIT = pathlib.Path(sys.prefix) / "junit-10.xsd"


def main():
    schemas, *folders = map(pathlib.Path, sys.argv[1:])
    junit = xmlschema.XMLSchema(str(JUNIT))
    shape = json.loads((schemas / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(shape)
    report = jsonschema.Draft202012Validator(shape, format_checker=jsonschema.FormatChecker())
    faults = []
    for folder in folders:
        faults += [f"{folder}/junit.xml: {error.path}: {error.reason}" for error in junit.iter_errors(str(folder / "junit.xml"))]
        found = json.loads((folder / "report.json").read_text())
        faults += [f"{folder}/report.json: {error.json_path}: {error.message}" for error in report.iter_errors(found)]
    print("\n".join(faults))
    sys.exit(1 if faults or not folders else 0)


main()
