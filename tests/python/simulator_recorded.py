"""Asks the simulator for what a table of `fixtures/recorded` holds, with boto3, and fails where the answers differ.

    target/venvs/moto/bin/python tests/python/simulator_recorded.py ENDPOINT TABLE
"""

import json
import re
import sys
import time
from pathlib import Path

import simulated
import yaml
from botocore.exceptions import ClientError

FOLDER = Path(__file__).parents[2] / "fixtures" / "recorded"
TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}
SOON = {"Delay": 0.1, "MaxAttempts": 300}
ACCOUNT = "123456789012"

# What clients would refuse by themselves is the service's to refuse.
cloudformation = simulated.client("cloudformation", parameter_validation=False, retries={"max_attempts": 1})


def read(table):
    return yaml.safe_load((FOLDER / f"{table}.yaml").read_text())


def error(call, **arguments):
    """The code, status and message of a call that has to fail."""
    try:
        answer = call(**arguments)
    except ClientError as failed:
        response = failed.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]
    return "accepted", 200, json.dumps(answer, default=str)


def create(name, template, **more):
    body = template if isinstance(template, str) else json.dumps(template)
    capabilities = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    stack = cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=capabilities, **more)["StackId"]
    return stack, settled(stack)


def settled(stack):
    for _ in range(300):
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if not found["StackStatus"].endswith("IN_PROGRESS") or found["StackStatus"] == "REVIEW_IN_PROGRESS":
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def events(stack):
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    return [event for page in pages for event in page["StackEvents"]]


def refusals():
    topic = {"Topic": {**TOPIC["Topic"], "Properties": {"DisplayName": {"Ref": "Name"}}}}
    create("there", {"Parameters": {"Name": {"Type": "String", "Default": "a"}}, "Resources": topic})
    gone, _ = create("gone", {"Resources": TOPIC})
    cloudformation.delete_stack(StackName="gone")
    settled(gone)
    words = {"LONG129": "l" * 129, "LONG257": "l" * 257, "GONE": gone}

    def filled(value):
        if isinstance(value, str):
            for word, text in words.items():
                value = value.replace(word, text)
            return json.dumps({"Resources": TOPIC}) if value == "x" else value
        if isinstance(value, list):
            return [filled(item) for item in value]
        return {key: filled(item) for key, item in value.items()} if isinstance(value, dict) else value

    for row in read("refusals"):
        found = error(getattr(cloudformation, row["call"]), **filled(row["with"]))
        message = found[2] if "says" in row else found[2][: len(filled(row["begins"]))]
        expect = row.get("code", "ValidationError"), row.get("status", 400), filled(row.get("says") or row["begins"])
        yield row["shows"], (*found[:2], message), expect


def templates():
    for number, row in enumerate(read("templates")):
        name = f"new{number}"
        template = row.get("template")
        if row.get("topic"):
            template = {**template, "Resources": TOPIC}
        body = row.get("body") or json.dumps(template)
        expect = "ValidationError", 400, row["says"]
        asked = {"StackName": name, "TemplateBody": body, "Capabilities": ["CAPABILITY_AUTO_EXPAND"]}
        yield row["shows"], error(cloudformation.create_stack, **asked), expect
        change_set = {**asked, "ChangeSetName": "first", "ChangeSetType": "CREATE"}
        yield row["shows"], error(cloudformation.create_change_set, **change_set), expect


def failures():
    for number, row in enumerate(read("failures")):
        name = f"fails{number}"
        stack, _ = create(name, row["template"])
        of = row.get("of", name)
        found = [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason")) for e in events(stack)]
        expect = of, row["status"], row["says"]
        yield row["shows"], expect if expect in found else found, expect


def looks_like(text, form, words):
    """Whether a text has the form that a table gives it."""
    kinds = {"#": "[0-9a-f]", "^": "[0-9A-Z]", "~": "[0-9a-z]", "?": "[0-9A-Za-z]"}
    for word, value in words.items():
        form = form.replace(word, value)
    pattern = "".join(kinds.get(letter, re.escape(letter)) for letter in form.replace("UUID", "\0"))
    uuid = "-".join(f"[0-9a-f]{{{length}}}" for length in (8, 4, 4, 4, 12))
    return re.fullmatch(pattern.replace("\\\0", "\0").replace("\0", uuid), text) is not None


def identities():
    for number, row in enumerate(read("identities")):
        name = f"identity{number}"
        attributes = {key: form for key, form in row.items() if key not in ("type", "properties", "ref")}
        outputs = {"Ref": {"Value": {"Ref": "Thing"}}}
        outputs |= {key: {"Value": {"Fn::GetAtt": ["Thing", key]}} for key in attributes}
        thing = {"Type": row["type"], "Properties": row["properties"]}
        stack, found = create(name, {"Resources": {"Thing": thing}, "Outputs": outputs})
        given = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        words = {"ACCOUNT": ACCOUNT, "STACK": name, "REF": given.get("Ref", "")}
        forms = {"Ref": row["ref"], **attributes}
        wrong = {key: given.get(key, found) for key, form in forms.items() if not looks_like(given.get(key, ""), form, words)}
        yield row["type"], wrong, {}
        cloudformation.delete_stack(StackName=stack)
        settled(stack)


MISSING = object()


def member(answer, path):
    """What stands at a path; keys may have dots of their own only at its end."""
    for part in path.split(".") if path else []:
        if isinstance(answer, list):
            answer = answer[int(part)] if int(part) < len(answer) else MISSING
        elif isinstance(answer, dict):
            answer = answer.get(part, MISSING)
        else:
            return MISSING
    return answer


def filled(value, words):
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(word, text)
        return value
    if isinstance(value, list):
        return [filled(item, words) for item in value]
    return {key: filled(item, words) for key, item in value.items()} if isinstance(value, dict) else value


def wrong_members(answer, has, lacks, words):
    wrong = {}
    for path, expect in has.items():
        found = member(answer, path)
        if expect is None:
            right = found is not MISSING and found is not None
        elif expect == "UUID":
            right = looks_like(found, expect, {})
        else:
            right = found == filled(expect, words)
        if not right:
            wrong[path] = "missing" if found is MISSING else found
    wrong |= {path: "there" for path in lacks if member(answer, path) is not MISSING}
    return wrong


def shapes():
    stacks = shapes_of_stacks()
    for row in read("shapes"):
        arguments = {"StackName": stacks[row["of"]], **row.get("with", {})}
        answer = getattr(cloudformation, row["call"])(**arguments)
        yield row["shows"], wrong_members(member(answer, row["in"]), row["has"], row["lacks"], {"ACCOUNT": ACCOUNT}), {}
    moments = [event["Timestamp"] for event in events(stacks["full"])]
    yield "moments of events", moments, sorted(set(moments), reverse=True)
    ids = [event["EventId"] for event in events(stacks["plain"]) if event["LogicalResourceId"] == "Thing"]
    at = r"-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    yield "IDs of events", [re.sub(at, "", id) for id in ids], ["Thing-CREATE_COMPLETE"] + 2 * ["Thing-CREATE_IN_PROGRESS"]


def shapes_of_stacks():
    def topic(name, **more):
        return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}, **more}

    def change_set(name):
        body = json.dumps({"Resources": {"Thing": topic(name)}})
        stack = {"StackName": name, "ChangeSetName": "first", "ChangeSetType": "CREATE", "TemplateBody": body}
        made = cloudformation.create_change_set(**stack, Tags=[{"Key": "team", "Value": "web"}])
        cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"], WaiterConfig=SOON)
        return made

    stacks = {}
    cloudformation.create_stack(StackName="plain", TemplateBody=json.dumps({"Resources": {"Thing": topic("plain")}}))
    stacks["plain"] = settled("plain")["StackId"]
    full = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "about topics",
        "Metadata": {"about": "topics"},
        "Parameters": {"Name": {"Type": "String", "Default": "a"}},
        "Resources": {
            "Thing": topic("full", Metadata={"owner": "web"}),
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"Tags": [{"Key": "name", "Value": {"Ref": "Name"}}]}},
        },
        "Outputs": {"Topic": {"Value": {"Ref": "Thing"}, "Description": "the topic", "Export": {"Name": "full-topic"}}},
    }
    trigger = {"Arn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:busy", "Type": "AWS::CloudWatch::Alarm"}
    rollback = {"MonitoringTimeInMinutes": 5, "RollbackTriggers": [trigger]}
    tags = [{"Key": "team", "Value": "web"}]
    stacks["full"], _ = create("full", full, Tags=tags, RollbackConfiguration=rollback)
    given = [{"ParameterKey": "Name", "ParameterValue": "b"}]
    cloudformation.update_stack(StackName="full", UsePreviousTemplate=True, Parameters=given)
    settled("full")
    for name in ["executed", "gone", "review"]:
        made = change_set(name)
        stacks[name] = made["StackId"]
        if name != "review":
            cloudformation.execute_change_set(ChangeSetName=made["Id"])
            settled(made["StackId"])
    cloudformation.delete_stack(StackName="gone")
    settled(stacks["gone"])
    stacks["failed"], _ = create("failed", {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Colour": 1}}}})
    expanded = {
        "Transform": "AWS::LanguageExtensions",
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "A,B"}},
        "Resources": {
            "Setting": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::Length": {"Ref": "Names"}}}},
            "Fn::ForEach::Queues": ["Name", {"Ref": "Names"}, {"Queue${Name}": {"Type": "AWS::SQS::Queue"}}],
        },
    }
    stacks["expanded"], _ = create("expanded", expanded)
    s3 = simulated.client("s3")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="child.json", Body=json.dumps({"Resources": {"Thing": topic("child")}}))
    nested = {"TemplateURL": "https://templates.s3.amazonaws.com/child.json", "Tags": [{"Key": "part", "Value": "inner"}]}
    child = {"Resources": {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": nested}}}
    stacks["parent"], _ = create("parent", child, Tags=tags)
    resources = cloudformation.describe_stack_resources(StackName="parent")["StackResources"]
    stacks["child"] = resources[0]["PhysicalResourceId"]
    return stacks


def services():
    clients = {service: simulated.client(service) for service in ("ssm", "secretsmanager", "s3")}
    for number, row in enumerate(read("services")):
        name = f"made{number}"
        thing = {"Type": row["type"], "Properties": row["properties"]}
        template = {"Resources": {**row.get("others", {}), "Thing": thing}, "Outputs": {"Ref": {"Value": {"Ref": "Thing"}}}}
        stack, found = create(name, template, Tags=[{"Key": "team", "Value": "web"}])
        assert "Outputs" in found, (row, events(stack))
        words = {"ACCOUNT": ACCOUNT, "REF": found["Outputs"][0]["OutputValue"]}
        answer = getattr(clients[row["service"]], row["call"])(**filled(row["with"], words))
        has = row["has"]
        for path, expect in has.items():
            if isinstance(expect, str) and expect.startswith("ORIGIN + "):
                origin = {"stack-name": name, "logical-id": "Thing", "stack-id": stack}
                tags = [{"Key": f"aws:cloudformation:{key}", "Value": value} for key, value in origin.items()]
                has[path] = [*tags, {"Key": "team", "Value": "web"}, yaml.safe_load(expect.removeprefix("ORIGIN + "))]
        yield row["shows"], wrong_members(answer, has, [], words), {}


def main():
    wrong, count = [], 0
    for shows, found, expect in globals()[sys.argv[2]]():
        count += 1
        if found != expect:
            wrong.append(f"{shows}:\n    found  {found}\n    expect {expect}")
    assert count > 5, f"only {count} rows"
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong)
    print(json.dumps("passed"))


main()
