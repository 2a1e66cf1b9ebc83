"""Uses the simulator's CloudFormation with boto3, and fails where it isn't AWS's. The scenario is the test's own.

    target/venvs/moto/bin/python tests/python/simulator_cloudformation.py ENDPOINT
"""

import json
import time

import simulated
from botocore.exceptions import WaiterError
from simulated import refused, said

IAM = ["CAPABILITY_IAM"]
QUEUE = {"Type": "AWS::SQS::Queue"}
SOON = {"Delay": 0.1, "MaxAttempts": 600}
NONE = "No updates are to be performed."


def client(service, region="us-east-1", **config):
    return simulated.client(service, region, **config)


def template(resources, **sections):
    return json.dumps({"Resources": resources, **sections})


def wait(cloudformation, what, name):
    cloudformation.get_waiter(f"stack_{what}").wait(StackName=name, WaiterConfig=SOON)


def stack(cloudformation, name):
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]


def until(cloudformation, name, status):
    """No waiter knows this state: the one for `rollback_complete` is for updates."""
    for _ in range(150):
        found = stack(cloudformation, name)
        if found["StackStatus"] == status:
            return found
        time.sleep(0.2)
    raise AssertionError(events(cloudformation, name))


def events(cloudformation, name):
    """All events, oldest first, as the logical ID, status and reason."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    found = [event for page in pages for event in page["StackEvents"]]
    assert len({event["EventId"] for event in found}) == len(found)
    found.reverse()
    assert [event["Timestamp"] for event in found] == sorted(event["Timestamp"] for event in found)
    return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason")) for e in found]


def created_and_deleted():
    cloudformation, s3 = client("cloudformation"), client("s3")
    body = template(
        {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Bucket"}}},
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
            },
        },
        Description="what there is",
        Parameters={"Name": {"Type": "String", "Default": "x"}, "Secret": {"Type": "String", "NoEcho": True}},
        Outputs={
            "Arn": {"Value": {"Fn::GetAtt": ["Bucket", "Arn"]}, "Export": {"Name": "bucket-arn"}},
            "Topic": {"Value": {"Ref": "Topic"}, "Description": "a topic"},
        },
    )
    wanted = {
        "StackName": "one",
        "TemplateBody": body,
        "Parameters": [{"ParameterKey": "Secret", "ParameterValue": "hush"}],
        "Tags": [{"Key": "project", "Value": "p"}],
        "ClientRequestToken": "token-1",
    }
    refused("InsufficientCapabilitiesException", cloudformation.create_stack, **wanted)
    made = cloudformation.create_stack(**wanted, Capabilities=IAM)["StackId"]
    assert made.startswith("arn:aws:cloudformation:us-east-1:123456789012:stack/one/"), made
    assert cloudformation.create_stack(**wanted, Capabilities=IAM)["StackId"] == made
    again = {**wanted, "ClientRequestToken": "token-2", "Capabilities": IAM}
    assert said("AlreadyExistsException", cloudformation.create_stack, **again) == "Stack [one] already exists"
    assert stack(cloudformation, "one")["StackStatus"] == "CREATE_IN_PROGRESS"
    wait(cloudformation, "create_complete", "one")
    found = stack(cloudformation, made)
    parameters = {it["ParameterKey"]: it["ParameterValue"] for it in found["Parameters"]}
    assert parameters == {"Name": "x", "Secret": "****"}, parameters
    outputs = {it["OutputKey"]: it for it in found["Outputs"]}
    resources = {it["LogicalResourceId"]: it for it in cloudformation.list_stack_resources(StackName="one")["StackResourceSummaries"]}
    bucket = resources["Bucket"]["PhysicalResourceId"]
    assert bucket.startswith("one-bucket-"), bucket
    assert outputs["Arn"]["OutputValue"] == f"arn:aws:s3:::{bucket}" and outputs["Arn"]["ExportName"] == "bucket-arn"
    assert outputs["Topic"]["OutputValue"].startswith("arn:aws:sns:us-east-1:123456789012:one-Topic-"), outputs
    assert found["Tags"] == wanted["Tags"] and found["Description"] == "what there is"
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags["aws:cloudformation:stack-name"] == "one" and tags["project"] == "p", tags
    happened = events(cloudformation, "one")
    assert happened[0] == ("one", "CREATE_IN_PROGRESS", "User Initiated"), happened
    assert happened[-1] == ("one", "CREATE_COMPLETE", None), happened
    order = [(what, status) for what, status, _ in happened]
    assert order.index(("Bucket", "CREATE_COMPLETE")) < order.index(("Topic", "CREATE_IN_PROGRESS")), order
    assert order.index(("Role", "CREATE_IN_PROGRESS")) < order.index(("Bucket", "CREATE_COMPLETE")), order
    assert ("Bucket", "CREATE_IN_PROGRESS", "Resource creation Initiated") in happened
    assert cloudformation.get_template(StackName="one")["TemplateBody"] == json.loads(body)
    assert cloudformation.describe_stack_resource(StackName="one", LogicalResourceId="Role")["StackResourceDetail"]["ResourceStatus"] == "CREATE_COMPLETE"
    of_bucket = cloudformation.describe_stack_resources(PhysicalResourceId=bucket)["StackResources"]
    assert len(of_bucket) == 3, of_bucket
    exports = cloudformation.list_exports()["Exports"]
    assert [(it["Name"], it["ExportingStackId"]) for it in exports] == [("bucket-arn", made)], exports

    # Nothing is deleted of a stack whose export is used.
    user = template({"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ImportValue": "bucket-arn"}}}})
    cloudformation.create_stack(StackName="user", TemplateBody=user)
    wait(cloudformation, "create_complete", "user")
    assert cloudformation.list_imports(ExportName="bucket-arn")["Imports"] == ["user"]
    cloudformation.delete_stack(StackName="one")
    found = stack(cloudformation, "one")
    expect = "Export bucket-arn cannot be deleted as it is in use by user"
    assert (found["StackStatus"], found["StackStatusReason"]) == ("DELETE_FAILED", expect), found
    cloudformation.delete_stack(StackName="user")
    wait(cloudformation, "delete_complete", "user")

    # Nor a bucket that holds something.
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    cloudformation.delete_stack(StackName="one")
    try:
        wait(cloudformation, "delete_complete", "one")
        raise AssertionError("a bucket that isn't empty was deleted")
    except WaiterError:
        pass
    found = stack(cloudformation, "one")
    expect = "The following resource(s) failed to delete: [Bucket]. "
    assert (found["StackStatus"], found["StackStatusReason"]) == ("DELETE_FAILED", expect), found
    assert ("Role", "DELETE_COMPLETE", None) in events(cloudformation, "one")
    s3.head_bucket(Bucket=bucket)
    refused("ValidationError", cloudformation.delete_stack, StackName="one", RetainResources=["Nobody"])
    cloudformation.delete_stack(StackName="one", DeletionMode="FORCE_DELETE_STACK")
    wait(cloudformation, "delete_complete", made)
    assert stack(cloudformation, made)["StackStatus"] == "DELETE_COMPLETE"
    assert said("ValidationError", cloudformation.describe_stacks, StackName="one") == "Stack with id one does not exist"
    assert events(cloudformation, made)[-1][1] == "DELETE_COMPLETE"
    cloudformation.delete_stack(StackName="one")
    s3.head_bucket(Bucket=bucket)


def five_hundred_events():
    cloudformation = client("cloudformation", "eu-west-1")
    resources = {f"Queue{number}": QUEUE for number in range(170)}
    cloudformation.create_stack(StackName="many", TemplateBody=template(resources))
    wait(cloudformation, "create_complete", "many")
    happened = events(cloudformation, "many")
    assert len(happened) == 3 * 170 + 2, len(happened)
    first = cloudformation.describe_stack_events(StackName="many")
    assert len(first["StackEvents"]) == 100 and first["StackEvents"][0]["ResourceStatus"] == "CREATE_COMPLETE"
    second = cloudformation.describe_stack_events(StackName="many", NextToken=first["NextToken"])
    assert not {e["EventId"] for e in first["StackEvents"]} & {e["EventId"] for e in second["StackEvents"]}
    refused("ValidationError", cloudformation.describe_stack_events, StackName="many", NextToken="nonsense")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName="many")
    assert [len(page["StackResourceSummaries"]) for page in pages] == [100, 70]
    cloudformation.delete_stack(StackName="many")


def nested():
    cloudformation, s3 = client("cloudformation"), client("s3")
    s3.create_bucket(Bucket="templates")
    child = template(
        {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"}}}},
        Parameters={"Name": {"Type": "String", "MinLength": 3}},
        Outputs={"Url": {"Value": {"Ref": "Queue"}}},
    )
    s3.put_object(Bucket="templates", Key="a b/child.json", Body=child)
    urls = [
        "https://templates.s3.amazonaws.com/a%20b/child.json",
        "https://s3.us-east-1.amazonaws.com/templates/a%20b/child.json",
        "https://templates.s3-us-east-1.amazonaws.com/a%20b/child.json",
        f"{simulated.ENDPOINT}/templates/a%20b/child.json",
    ]

    def parent(name):
        children = {
            f"Child{number}": {
                "Type": "AWS::CloudFormation::Stack",
                "Properties": {"TemplateURL": url, "Parameters": {"Name": f"{name}-{number}" if name else "ab"}},
            }
            for number, url in enumerate(urls)
        }
        return template(children, Outputs={"Url": {"Value": {"Fn::GetAtt": ["Child0", "Outputs.Url"]}}})

    made = cloudformation.create_stack(StackName="parent", TemplateBody=parent("queue"))["StackId"]
    wait(cloudformation, "create_complete", "parent")
    assert stack(cloudformation, "parent")["Outputs"][0]["OutputValue"].endswith("/123456789012/queue-0")
    children = [it for it in cloudformation.describe_stacks()["Stacks"] if it.get("ParentId")]
    assert len(children) == 4 and all(it["RootId"] == made for it in children), children
    update = {"StackName": "parent", "TemplateBody": parent("queue")}
    assert said("ValidationError", cloudformation.update_stack, **update) == NONE
    update["TemplateBody"] = parent("renamed")
    cloudformation.update_stack(**update)
    wait(cloudformation, "update_complete", "parent")
    assert stack(cloudformation, "parent")["Outputs"][0]["OutputValue"].endswith("/renamed-0")
    cloudformation.delete_stack(StackName="parent")
    wait(cloudformation, "delete_complete", made)
    assert not [it for it in cloudformation.describe_stacks()["Stacks"] if it.get("ParentId")]

    # What a nested template forbids is found when it is launched; nothing is left of it.
    cloudformation.create_stack(StackName="short", TemplateBody=parent(""), OnFailure="DO_NOTHING")
    until(cloudformation, "short", "CREATE_FAILED")
    reasons = [reason for _, status, reason in events(cloudformation, "short") if status == "CREATE_FAILED"]
    assert "Parameter 'Name' must contain at least 3 characters" in reasons, reasons
    assert reasons[-1].startswith("The following resource(s) failed to create: [Child"), reasons
    cloudformation.delete_stack(StackName="short")


def failures():
    cloudformation = client("cloudformation")
    # As the scenario says, `Doomed` fails.
    body = template({"Queue": QUEUE, "Doomed": QUEUE, "After": {**QUEUE, "DependsOn": "Doomed"}})
    made = cloudformation.create_stack(StackName="rolls-back", TemplateBody=body)["StackId"]
    try:
        wait(cloudformation, "create_complete", "rolls-back")
        raise AssertionError("it was created")
    except WaiterError:
        pass
    until(cloudformation, "rolls-back", "ROLLBACK_COMPLETE")
    happened = events(cloudformation, "rolls-back")
    assert ("Doomed", "CREATE_FAILED", "Resource limit exceeded") in happened, happened
    assert not [event for event in happened if event[0] == "After"], happened
    rollback = next(event for event in happened if event[1] == "ROLLBACK_IN_PROGRESS")
    assert rollback[2].startswith("The following resource(s) failed to create: [") and rollback[2].endswith("]. Rollback requested by user."), rollback
    assert happened[-1] == ("rolls-back", "ROLLBACK_COMPLETE", None), happened
    update = {"StackName": "rolls-back", "TemplateBody": template({"Queue": QUEUE})}
    expect = f"Stack:{made} is in ROLLBACK_COMPLETE state and can not be updated."
    assert said("ValidationError", cloudformation.update_stack, **update) == expect
    cloudformation.create_stack(StackName="goes-away", TemplateBody=body, OnFailure="DELETE")
    wait(cloudformation, "delete_complete", "goes-away")

    def message(resources, region="us-east-1", **sections):
        create = client("cloudformation", region).create_stack
        return said("ValidationError", create, StackName="never", TemplateBody=template(resources, **sections))

    assert message({"A": {"Type": "AWS::SQS::Qeue"}}) == "Template format error: Unrecognized resource types: [AWS::SQS::Qeue]"
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "A"]}}}
    maps = {"M": {"us-east-1": {"A": "x"}}}
    assert message({"T": topic}, "eu-west-3", Mappings=maps) == "Template error: Unable to get mapping for M::eu-west-3::A"
    assert message({"A": QUEUE}, Parameters={"P": {"Type": "String"}}) == "Parameters: [P] must have values"
    rule = {"R": {"Assertions": [{"Assert": {"Fn::Equals": [{"Ref": "P"}, "a"]}, "AssertDescription": "P must be a"}]}}
    parameters = {"P": {"Type": "String", "Default": "b"}}
    assert "P must be a" in message({"A": QUEUE}, Parameters=parameters, Rules=rule)
    stranger = {**topic, "Properties": {"DisplayName": {"Fn::GetAtt": ["A", "Nonsense"]}}}
    cloudformation.create_stack(StackName="stranger", TemplateBody=template({"A": QUEUE, "T": stranger}))
    until(cloudformation, "stranger", "ROLLBACK_COMPLETE")
    expect = "Requested attribute Nonsense does not exist in schema for AWS::SQS::Queue"
    assert ("T", "CREATE_FAILED", expect) in events(cloudformation, "stranger")
    bad = [{"TemplateBody": "Resources: ["}, {"TemplateBody": "x" * 60_000}, {"TemplateURL": "https://example.com/a"}, {}]
    for template_ in bad:
        refused("ValidationError", cloudformation.create_stack, StackName="never", **template_)

    # What the resource's own service refuses, and a name that is taken.
    wrong = template({"Queue": {**QUEUE, "Properties": {"Colour": "red"}}, "A": QUEUE})
    cloudformation.create_stack(StackName="wrong", TemplateBody=wrong)
    until(cloudformation, "wrong", "ROLLBACK_COMPLETE")
    reasons = [reason for id, status, reason in events(cloudformation, "wrong") if (id, status) == ("Queue", "CREATE_FAILED")]
    assert len(reasons) == 1 and "extraneous key [Colour] is not permitted" in reasons[0], reasons
    named = template({"Queue": {**QUEUE, "Properties": {"QueueName": "mine"}}})
    holder = cloudformation.create_stack(StackName="holder", TemplateBody=named)["StackId"]
    wait(cloudformation, "create_complete", "holder")
    cloudformation.create_stack(StackName="late", TemplateBody=named)
    until(cloudformation, "late", "ROLLBACK_COMPLETE")
    assert ("Queue", "CREATE_FAILED", f"mine already exists in stack {holder}") in events(cloudformation, "late")

    # It is missed only once the stack is there.
    missing = template({"T": {**topic, "Properties": {"DisplayName": {"Fn::ImportValue": "nobody"}}}})
    cloudformation.create_stack(StackName="missing", TemplateBody=missing)
    until(cloudformation, "missing", "ROLLBACK_COMPLETE")
    assert ("missing", "ROLLBACK_IN_PROGRESS", "No export named nobody found. Rollback requested by user.") in events(cloudformation, "missing")

    # As the scenario says, `Stubborn` can't be deleted twice.
    cloudformation.create_stack(StackName="stays", TemplateBody=template({"Stubborn": QUEUE, "Queue": QUEUE}))
    wait(cloudformation, "create_complete", "stays")
    for _ in range(2):
        cloudformation.delete_stack(StackName="stays")
        try:
            wait(cloudformation, "delete_complete", "stays")
            raise AssertionError("it was deleted")
        except WaiterError:
            assert stack(cloudformation, "stays")["StackStatus"] == "DELETE_FAILED"
    cloudformation.delete_stack(StackName="stays", RetainResources=["Stubborn"])
    wait(cloudformation, "delete_complete", "stays")
    protected = {"StackName": "protected", "TemplateBody": template({"Queue": QUEUE}), "EnableTerminationProtection": True}
    cloudformation.create_stack(**protected)
    refused("ValidationError", cloudformation.delete_stack, StackName="protected")
    cloudformation.update_termination_protection(StackName="protected", EnableTerminationProtection=False)
    cloudformation.delete_stack(StackName="protected")
    wait(cloudformation, "delete_complete", "protected")


def updates_and_change_sets():
    cloudformation, ssm = client("cloudformation"), client("ssm")
    ssm.put_parameter(Name="/size", Value="5", Type="String")

    def body(timeout, **more):
        queue = {**QUEUE, "Properties": {"VisibilityTimeout": timeout, "QueueName": {"Fn::Sub": "${AWS::StackName}-q"}}}
        value = {"Fn::GetAtt": ["Queue", "Arn"]}
        parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/made", "Type": "String", "Value": value}}
        parameters = {"Size": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/size"}}
        return template({"Queue": queue, "Parameter": parameter, **more}, Parameters=parameters)

    made = cloudformation.create_stack(StackName="changes", TemplateBody=body(1, Old=QUEUE))["StackId"]
    wait(cloudformation, "create_complete", "changes")
    resolved = stack(cloudformation, "changes")["Parameters"][0]
    assert (resolved["ParameterValue"], resolved["ResolvedValue"]) == ("/size", "5"), resolved
    assert ssm.get_parameter(Name="/made")["Parameter"]["Value"].endswith(":changes-q")
    assert said("ValidationError", cloudformation.update_stack, StackName="changes", UsePreviousTemplate=True) == NONE

    cloudformation.create_change_set(StackName="changes", ChangeSetName="next", TemplateBody=body(2, New=QUEUE))
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName="changes", ChangeSetName="next", WaiterConfig=SOON
    )
    found = cloudformation.describe_change_set(StackName="changes", ChangeSetName="next")
    changes = {it["ResourceChange"]["LogicalResourceId"]: it["ResourceChange"] for it in found["Changes"]}
    # The parameter takes an attribute of the queue, which may have another value afterwards.
    assert changes.pop("Parameter")["Details"][0]["CausingEntity"] == "Queue.Arn", changes
    assert {id: it["Action"] for id, it in changes.items()} == {"Queue": "Modify", "New": "Add", "Old": "Remove"}, changes
    target = changes["Queue"]["Details"][0]["Target"]
    assert (changes["Queue"]["Replacement"], target["Name"]) == ("False", "VisibilityTimeout"), changes
    assert found["ExecutionStatus"] == "AVAILABLE" and found["StackId"] == made
    assert len(cloudformation.list_change_sets(StackName="changes")["Summaries"]) == 1
    cloudformation.execute_change_set(StackName="changes", ChangeSetName="next")
    wait(cloudformation, "update_complete", "changes")
    happened = events(cloudformation, "changes")
    for event in [
        ("changes", "UPDATE_IN_PROGRESS", "User Initiated"),
        ("Queue", "UPDATE_COMPLETE", None),
        ("New", "CREATE_COMPLETE", None),
        ("changes", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None),
        ("Old", "DELETE_COMPLETE", None),
    ]:
        assert event in happened, (event, happened)
    left = {it["LogicalResourceId"] for it in cloudformation.list_stack_resources(StackName="changes")["StackResourceSummaries"]}
    assert left == {"Queue", "Parameter", "New"}, left
    refused("InvalidChangeSetStatus", cloudformation.execute_change_set, StackName="changes", ChangeSetName="next")

    cloudformation.create_change_set(StackName="changes", ChangeSetName="same", TemplateBody=body(2, New=QUEUE))
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(StackName="changes", ChangeSetName="same", WaiterConfig=SOON)
        raise AssertionError("there was something to change")
    except WaiterError as error:
        assert "didn't contain changes" in error.last_response["StatusReason"], error.last_response
    cloudformation.delete_change_set(StackName="changes", ChangeSetName="same")
    refused("ChangeSetNotFound", cloudformation.describe_change_set, StackName="changes", ChangeSetName="same")

    # A failed update puts everything back.
    cloudformation.update_stack(StackName="changes", TemplateBody=body(3, Doomed={**QUEUE, "DependsOn": "Queue"}))
    until(cloudformation, "changes", "UPDATE_ROLLBACK_COMPLETE")
    left = {it["LogicalResourceId"]: it for it in cloudformation.list_stack_resources(StackName="changes")["StackResourceSummaries"]}
    assert set(left) == {"Queue", "Parameter", "New"}, left
    # A change that only another queue can have.
    before = left["Queue"]["PhysicalResourceId"]
    fifo = json.loads(body(2, New=QUEUE))
    fifo["Resources"]["Queue"]["Properties"].update({"FifoQueue": True, "QueueName": "changes.fifo"})
    cloudformation.update_stack(StackName="changes", TemplateBody=json.dumps(fifo))
    wait(cloudformation, "update_complete", "changes")
    after = cloudformation.describe_stack_resource(StackName="changes", LogicalResourceId="Queue")["StackResourceDetail"]
    assert after["PhysicalResourceId"] != before and ssm.get_parameter(Name="/made")["Parameter"]["Value"].endswith(":changes.fifo")
    cloudformation.delete_stack(StackName="changes")
    wait(cloudformation, "delete_complete", made)
    refused("ParameterNotFound", ssm.get_parameter, Name="/made")

    # A stack that begins as a change set.
    new = {"StackName": "new", "ChangeSetName": "first", "ChangeSetType": "CREATE", "TemplateBody": template({"Queue": QUEUE})}
    cloudformation.create_change_set(**new)
    assert stack(cloudformation, "new")["StackStatus"] == "REVIEW_IN_PROGRESS"
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName="new", ChangeSetName="first", WaiterConfig=SOON
    )
    cloudformation.execute_change_set(StackName="new", ChangeSetName="first")
    wait(cloudformation, "create_complete", "new")
    cloudformation.delete_stack(StackName="new")


def templates():
    cloudformation = client("cloudformation")
    body = template(
        {"Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r", "AssumeRolePolicyDocument": {}}}},
        Description="d",
        Parameters={"P": {"Type": "String", "NoEcho": True, "Description": "p", "AllowedValues": ["a"]}},
    )
    summary = cloudformation.get_template_summary(TemplateBody=body)
    assert summary["Capabilities"] == ["CAPABILITY_NAMED_IAM"] and summary["ResourceTypes"] == ["AWS::IAM::Role"], summary
    parameter = summary["Parameters"][0]
    assert parameter["ParameterType"] == "String" and parameter["ParameterConstraints"]["AllowedValues"] == ["a"], parameter
    valid = cloudformation.validate_template(TemplateBody=body)
    assert valid["Description"] == "d" and valid["Parameters"][0]["NoEcho"] is True, valid
    assert "Unresolved" in said("ValidationError", cloudformation.validate_template, TemplateBody=template({"A": {**QUEUE, "DependsOn": "B"}}))


def places():
    """Accounts and regions see nothing of each other."""
    here = client("cloudformation", "us-west-2")
    here.create_stack(StackName="here", TemplateBody=template({"Queue": QUEUE}))
    for other in [client("cloudformation", "us-west-1"), simulated.client("cloudformation", "us-west-2", "210987654321")]:
        refused("ValidationError", other.describe_stacks, StackName="here")
        other.create_stack(StackName="here", TemplateBody=template({"Queue": QUEUE}))
    summaries = here.list_stacks(StackStatusFilter=["CREATE_IN_PROGRESS", "CREATE_COMPLETE"])["StackSummaries"]
    assert [it["StackName"] for it in summaries] == ["here"], summaries
    refused("InvalidAction", here.describe_account_limits)
    # As the scenario says, this one can't be seen at first.
    shy = here.create_stack(StackName="shy", TemplateBody=template({"Queue": QUEUE}))["StackId"]
    for name in ["shy", shy]:
        assert said("ValidationError", here.describe_stacks, StackName=name) == f"Stack with id {name} does not exist"
        assert said("ValidationError", here.describe_stack_events, StackName=name) == f"Stack [{name}] does not exist"
    refused("AlreadyExistsException", here.create_stack, StackName="shy", TemplateBody=template({"Queue": QUEUE}))
    assert "shy" not in [it["StackName"] for it in here.describe_stacks()["Stacks"]]
    time.sleep(1)
    assert stack(here, "shy")["StackName"] == "shy"


def other_services():
    """Other services see what a stack has made or deleted though nobody asks CloudFormation meanwhile."""
    cloudformation, s3, ssm = client("cloudformation"), client("s3"), client("ssm")
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "of-a-stack"}}
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "of-a-stack", "Type": "String", "Value": "v"}}
    cloudformation.create_stack(StackName="silent", TemplateBody=template({"Bucket": bucket, "Parameter": parameter}))
    s3.get_waiter("bucket_exists").wait(Bucket="of-a-stack", WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})
    s3.put_object(Bucket="of-a-stack", Key="k", Body=b"v")
    s3.delete_object(Bucket="of-a-stack", Key="k")
    wait_for(lambda: ssm.get_parameters(Names=["of-a-stack"])["Parameters"])
    wait(cloudformation, "create_complete", "silent")
    cloudformation.delete_stack(StackName="silent")
    wait_for(lambda: "of-a-stack" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]])
    wait_for(lambda: not ssm.get_parameters(Names=["of-a-stack"])["Parameters"])


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def throttled():
    """As the scenario says, two calls in three are throttled in this region, and boto3 tries again."""
    cloudformation = client("cloudformation", "ap-south-1", retries={"max_attempts": 10, "mode": "standard"})
    made = cloudformation.create_stack(StackName="slow", TemplateBody=template({"Queue": QUEUE}))
    wait(cloudformation, "create_complete", "slow")
    assert made["ResponseMetadata"]["RetryAttempts"] > 0, made


created_and_deleted()
five_hundred_events()
nested()
failures()
updates_and_change_sets()
templates()
places()
other_services()
throttled()
print(json.dumps("passed"))
