"""Calls of the simulator beside creating and changing stacks, as boto3 sees them.

    target/venvs/moto/bin/python tests/python/simulator_calls.py ENDPOINT
"""

import json
import time

from botocore.exceptions import ClientError
from simulated import client, refused, said

SOON = {"Delay": 0.1, "MaxAttempts": 600}

cloudformation = client("cloudformation")


def topic(name, **properties):
    return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name, **properties}}


def template(resources, **sections):
    return json.dumps({"Resources": resources, **sections})


def wait(what, name):
    cloudformation.get_waiter(f"stack_{what}").wait(StackName=name, WaiterConfig=SOON)


def create(stack, resources, **arguments):
    answer = cloudformation.create_stack(StackName=stack, TemplateBody=template(resources), **arguments)
    wait("create_complete", stack)
    return answer


def stack(name):
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]


def ended(name):
    """The status once nothing is done with the stack any more: not all of them have a waiter."""
    for _ in range(600):
        status = stack(name)["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(0.1)
    raise AssertionError(status)


def events_by_operation():
    made = create("operations", {"A": topic("o1")})
    operation = stack("operations")["LastOperations"]
    assert operation == [{"OperationType": "CREATE_STACK", "OperationId": made["OperationId"]}], operation
    cloudformation.update_stack(StackName="operations", TemplateBody=template({"A": topic("o1"), "Doomed": topic("o2")}))
    assert ended("operations") == "UPDATE_ROLLBACK_COMPLETE"
    last = stack("operations")["LastOperations"]
    assert [it["OperationType"] for it in last] == ["ROLLBACK", "UPDATE_STACK"], last

    first = cloudformation.describe_events(OperationId=made["OperationId"])["OperationEvents"]
    assert [(it["EventType"], it["ResourceStatus"]) for it in first] == [
        ("STACK_EVENT", "CREATE_COMPLETE"),
        ("PROGRESS_EVENT", "CREATE_COMPLETE"),
        ("PROGRESS_EVENT", "CREATE_IN_PROGRESS"),
        ("PROGRESS_EVENT", "CREATE_IN_PROGRESS"),
        ("STACK_EVENT", "CREATE_IN_PROGRESS"),
    ], first
    assert first[0]["OperationStatus"] == "SUCCEEDED" and first[0]["EndTime"] >= first[0]["StartTime"], first[0]
    failed = cloudformation.describe_events(OperationId=last[1]["OperationId"], Filters={"FailedEvents": True})
    failed = failed["OperationEvents"]
    assert [(it["LogicalResourceId"], it["EventType"]) for it in failed] == [("Doomed", "PROVISIONING_ERROR")], failed
    assert failed[0]["ResourceStatusReason"] == "Resource limit exceeded"
    everything = cloudformation.describe_events(StackName="operations")["OperationEvents"]
    by_stack = cloudformation.describe_stack_events(StackName="operations")["StackEvents"]
    assert [it["EventId"] for it in everything] == [it["EventId"] for it in by_stack]
    assert {it["OperationId"] for it in by_stack} == {it["OperationId"] for it in everything}
    change_set = cloudformation.create_change_set(
        StackName="operations", ChangeSetName="c", TemplateBody=template({"A": topic("o1", DisplayName="d")})
    )
    found = cloudformation.describe_events(ChangeSetName=change_set["Id"])["OperationEvents"][0]
    assert found["OperationType"] == "CREATE_CHANGESET" and found["StackId"] == change_set["StackId"], found
    text = said("ValidationError", cloudformation.describe_events)
    assert text == "One of ChangeSetName, OperationId or StackName must be specified as input.", text


def policies():
    def statement(effect, action, resource):
        return {"Effect": effect, "Action": action, "Principal": "*", "Resource": f"LogicalResourceId/{resource}"}

    kept = json.dumps({"Statement": [statement("Deny", "Update:*", "Kept"), statement("Allow", "Update:*", "*")]})
    create("guarded", {"Kept": topic("g1"), "Free": topic("g2")})
    assert "StackPolicyBody" not in cloudformation.get_stack_policy(StackName="guarded")
    cloudformation.set_stack_policy(StackName="guarded", StackPolicyBody=kept)
    assert cloudformation.get_stack_policy(StackName="guarded")["StackPolicyBody"] == kept
    reason = "Action denied by stack policy: Statement [#1] does not allow [{}] for resource [LogicalResourceId/Kept]"
    for action, resources in [
        ("Update:Modify", {"Kept": topic("g1", DisplayName="d"), "Free": topic("g2")}),
        ("Update:Replace", {"Kept": topic("g3"), "Free": topic("g2")}),
        ("Update:Delete", {"Free": topic("g2")}),
    ]:
        cloudformation.update_stack(StackName="guarded", TemplateBody=template(resources))
        assert ended("guarded") == "UPDATE_ROLLBACK_COMPLETE", action
        found = [it.get("ResourceStatusReason") for it in cloudformation.describe_stack_events(StackName="guarded")["StackEvents"]]
        assert reason.format(action) in found, (action, found)
    left = {it["LogicalResourceId"] for it in cloudformation.describe_stack_resources(StackName="guarded")["StackResources"]}
    assert left == {"Kept", "Free"}, left
    cloudformation.update_stack(StackName="guarded", TemplateBody=template({"Kept": topic("g1"), "Free": topic("g2", DisplayName="d")}))
    assert ended("guarded") == "UPDATE_COMPLETE"
    # A policy for one update lets through what the stack's own doesn't.
    everything = json.dumps({"Statement": [statement("Allow", "Update:*", "*")]})
    cloudformation.update_stack(
        StackName="guarded", TemplateBody=template({"Kept": topic("g1", DisplayName="e"), "Free": topic("g2")}),
        StackPolicyDuringUpdateBody=everything,
    )
    assert ended("guarded") == "UPDATE_COMPLETE"
    assert cloudformation.get_stack_policy(StackName="guarded")["StackPolicyBody"] == kept
    text = said("ValidationError", cloudformation.set_stack_policy, StackName="guarded", StackPolicyBody="no policy")
    assert text == "Error validating stack policy: Invalid stack policy", text
    text = said("ValidationError", cloudformation.set_stack_policy, StackName="guarded", StackPolicyBody="{}", StackPolicyURL="https://b.s3.amazonaws.com/k")
    assert text == "You cannot specify both StackPolicyURL and StackPolicyBody", text
    create("policed", {"A": topic("p1")}, StackPolicyBody=everything)
    assert cloudformation.get_stack_policy(StackName="policed")["StackPolicyBody"] == everything


def ways_back():
    create("back", {"A": topic("b1")})
    refused("ValidationError", cloudformation.cancel_update_stack, StackName="back")
    refused("ValidationError", cloudformation.continue_update_rollback, StackName="back")
    refused("ValidationError", cloudformation.rollback_stack, StackName="back")
    slow = {"A": topic("b1", DisplayName="d"), "Slow": topic("b2")}
    cloudformation.update_stack(StackName="back", TemplateBody=template(slow))
    cloudformation.cancel_update_stack(StackName="back")
    assert ended("back") == "UPDATE_ROLLBACK_COMPLETE"
    # What failed without a rollback is rolled back later.
    cloudformation.update_stack(
        StackName="back", TemplateBody=template({"A": topic("b1"), "Doomed": topic("b3")}), DisableRollback=True
    )
    assert ended("back") == "UPDATE_FAILED"
    answer = cloudformation.rollback_stack(StackName="back")
    assert ended("back") == "UPDATE_ROLLBACK_COMPLETE"
    assert stack("back")["LastOperations"][0] == {"OperationType": "ROLLBACK", "OperationId": answer["OperationId"]}
    cloudformation.create_stack(StackName="never", TemplateBody=template({"Doomed": topic("n1")}), OnFailure="DO_NOTHING")
    assert ended("never") == "CREATE_FAILED"
    cloudformation.rollback_stack(StackName="never")
    assert ended("never") == "ROLLBACK_COMPLETE"


def rollbacks_that_fail():
    def failing(name):
        create(name, {"Clinging": topic(f"{name}-1"), "Easy": topic(f"{name}-2")})
        changed = {"Clinging": topic(f"{name}-1", DisplayName="d"), "Easy": topic(f"{name}-2", DisplayName="d")}
        doomed = {**topic(f"{name}-3"), "DependsOn": ["Clinging", "Easy"]}
        cloudformation.update_stack(StackName=name, TemplateBody=template({**changed, "Doomed": doomed}))
        assert ended(name) == "UPDATE_ROLLBACK_FAILED"

    def since_continued(name):
        found = []
        for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]:
            found.insert(0, (event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason")))
            if event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS":
                return found

    failed = "The following resource(s) failed to update: [Clinging]. "
    done = [("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None), ("UPDATE_ROLLBACK_COMPLETE", None)]
    failing("retried")
    assert stack("retried")["StackStatusReason"] == failed
    refused("ValidationError", cloudformation.update_stack, StackName="retried", TemplateBody=template({"A": topic("a")}))
    # It fails once more, and what was put back already isn't touched again.
    cloudformation.continue_update_rollback(StackName="retried")
    assert ended("retried") == "UPDATE_ROLLBACK_FAILED"
    assert since_continued("retried") == [
        ("retried", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
        ("Clinging", "UPDATE_IN_PROGRESS", None),
        ("Clinging", "UPDATE_FAILED", "Cannot be put back."),
        ("retried", "UPDATE_ROLLBACK_FAILED", failed),
    ]
    cloudformation.continue_update_rollback(StackName="retried")
    assert ended("retried") == "UPDATE_ROLLBACK_COMPLETE"
    assert stack("retried")["LastOperations"][0]["OperationType"] == "CONTINUE_ROLLBACK"
    assert since_continued("retried") == [
        ("retried", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
        ("Clinging", "UPDATE_IN_PROGRESS", None),
        ("Clinging", "UPDATE_COMPLETE", None),
        *[("retried", *event) for event in done],
    ]
    failing("skipped")
    for other in ["Easy", "Nobody", "skipped-Nested.Clinging"]:
        refused("ValidationError", cloudformation.continue_update_rollback, StackName="skipped", ResourcesToSkip=[other])
    cloudformation.continue_update_rollback(StackName="skipped", ResourcesToSkip=["Clinging"])
    assert ended("skipped") == "UPDATE_ROLLBACK_COMPLETE"
    assert since_continued("skipped") == [
        ("skipped", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
        ("Clinging", "UPDATE_COMPLETE", None),
        *[("skipped", *event) for event in done],
    ]
    cloudformation.delete_stack(StackName="skipped")
    wait("delete_complete", "skipped")


def nested_rollbacks_that_fail():
    s3 = client("s3")
    s3.create_bucket(Bucket="clinging-templates")

    def parent(name, resources):
        s3.put_object(Bucket="clinging-templates", Key=name, Body=template(resources))
        url = f"https://clinging-templates.s3.amazonaws.com/{name}"
        return {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}

    def failing(name):
        create(name, parent(name, {"Clinging": topic(name)}))
        changed = {"Clinging": topic(name, DisplayName="d"), "Doomed": {**topic(f"{name}-2"), "DependsOn": "Clinging"}}
        cloudformation.update_stack(StackName=name, TemplateBody=template(parent(name, changed)))
        assert ended(name) == "UPDATE_ROLLBACK_FAILED"
        inner = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Child")["StackResourceDetail"]
        inner = stack(inner["PhysicalResourceId"])
        assert inner["StackStatus"] == "UPDATE_ROLLBACK_FAILED", inner
        return inner["StackName"]

    inner = failing("around")
    refused("ValidationError", cloudformation.continue_update_rollback, StackName=inner)
    cloudformation.continue_update_rollback(StackName="around")
    assert ended("around") == "UPDATE_ROLLBACK_FAILED"
    cloudformation.continue_update_rollback(StackName="around")
    assert (ended("around"), ended(inner)) == ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
    inner = failing("leaving")
    cloudformation.continue_update_rollback(StackName="leaving", ResourcesToSkip=[f"{inner}.Clinging"])
    assert (ended("leaving"), ended(inner)) == ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def drift_types_and_cost():
    create("drift", {"A": topic("d1"), "B": {"Type": "AWS::SQS::Queue"}})
    drifts = cloudformation.describe_stack_resource_drifts(StackName="drift")["StackResourceDrifts"]
    assert {it["StackResourceDriftStatus"] for it in drifts} == {"NOT_CHECKED"}, drifts
    detection = cloudformation.detect_stack_drift(StackName="drift")["StackDriftDetectionId"]
    status = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    assert (status["DetectionStatus"], status["StackDriftStatus"], status["DriftedStackResourceCount"]) == (
        "DETECTION_COMPLETE", "IN_SYNC", 0,
    ), status
    drifts = cloudformation.describe_stack_resource_drifts(StackName="drift")["StackResourceDrifts"]
    assert [it["StackResourceDriftStatus"] for it in drifts] == ["IN_SYNC", "IN_SYNC"], drifts
    assert json.loads(drifts[0]["ExpectedProperties"])["TopicName"] == "d1"
    one = cloudformation.detect_stack_resource_drift(StackName="drift", LogicalResourceId="A")["StackResourceDrift"]
    assert one["StackResourceDriftStatus"] == "IN_SYNC" and one["PropertyDifferences"] == [], one
    assert stack("drift")["DriftInformation"]["StackDriftStatus"] == "IN_SYNC"

    pages = cloudformation.get_paginator("list_types").paginate(
        Visibility="PUBLIC", Type="RESOURCE", Filters={"Category": "AWS_TYPES", "TypeNamePrefix": "AWS::S3::"}
    )
    names = [it["TypeName"] for page in pages for it in page["TypeSummaries"]]
    assert "AWS::S3::Bucket" in names and all(name.startswith("AWS::S3::") for name in names), names
    assert cloudformation.list_types(Visibility="PRIVATE")["TypeSummaries"] == []
    found = cloudformation.describe_type(Type="RESOURCE", TypeName="AWS::SNS::Topic")
    schema = json.loads(found["Schema"])
    assert schema["primaryIdentifier"] == ["/properties/TopicArn"] and "DisplayName" in schema["properties"], schema
    by_arn = cloudformation.describe_type(Arn=found["Arn"])
    assert by_arn["TypeName"] == "AWS::SNS::Topic"
    refused("TypeNotFoundException", cloudformation.describe_type, status=404, Type="RESOURCE", TypeName="AWS::SNS::Gone")
    assert cloudformation.estimate_template_cost(TemplateBody=template({"A": topic("x")}))["Url"].startswith("https://")


def other_services():
    ec2, iam = client("ec2"), client("iam")
    assert iam.list_account_aliases()["AccountAliases"] == []
    refused("InvalidAction", iam.list_users)
    create(
        "network",
        {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16", "Tags": [{"Key": "Name", "Value": "main"}]}},
            "Net": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.1.1.0/24"}},
            "Gate": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "gate", "VpcId": {"Ref": "Vpc"}}},
        },
    )
    vpc = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["ma*"]}])["Vpcs"][0]
    assert vpc["CidrBlock"] == "10.1.0.0/16" and vpc["Tags"][-1] == {"Key": "Name", "Value": "main"}, vpc
    assert ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]["VpcId"] == vpc["VpcId"]
    by_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    assert [it["CidrBlock"] for it in ec2.describe_subnets(Filters=by_vpc)["Subnets"]] == ["10.1.1.0/24"]
    assert [it["Description"] for it in ec2.describe_security_groups(Filters=by_vpc)["SecurityGroups"]] == ["gate"]
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=["vpc-0123456789abcdef0"])
    refused("InvalidParameterValue", ec2.describe_vpcs, Filters=[{"Name": "colour", "Values": ["red"]}])
    key = ec2.create_key_pair(KeyName="mine")
    assert "PRIVATE KEY" in key["KeyMaterial"], key
    refused("InvalidKeyPair.Duplicate", ec2.create_key_pair, KeyName="mine")
    assert ec2.describe_key_pairs(KeyNames=["mine"])["KeyPairs"][0]["KeyPairId"] == key["KeyPairId"]
    ec2.delete_key_pair(KeyName="mine")
    refused("InvalidKeyPair.NotFound", ec2.describe_key_pairs, KeyNames=["mine"])
    image = ec2.describe_images(ImageIds=["ami-0123456789abcdef0"])["Images"][0]
    assert image["State"] == "available", image


def what_is_not_here_is_refused_once():
    for service, call, arguments in [
        ("ecr", "describe_repositories", {}),
        ("lambda", "list_functions", {}),
        ("cloudfront", "list_distributions", {}),
        ("sns", "list_topics", {}),
        ("kms", "list_keys", {}),
        ("dynamodb", "list_tables", {}),
        ("apigateway", "get_rest_apis", {}),
    ]:
        asked = client(service)
        tries = []
        asked.meta.events.register("before-send", lambda request, **_: tries.append(request.url) and None)
        try:
            getattr(asked, call)(**arguments)
            raise AssertionError(service)
        except ClientError as error:
            found = error.response
        assert found["ResponseMetadata"]["HTTPStatusCode"] == 400 and len(tries) == 1, (service, tries, found)
        assert "not available in the simulator" in found["Error"]["Message"], (service, found)
    refused("InvalidAction", cloudformation.list_stack_sets)


events_by_operation()
policies()
ways_back()
rollbacks_that_fail()
nested_rollbacks_that_fail()
drift_types_and_cost()
other_services()
what_is_not_here_is_refused_once()
print('"passed"')
