"""Change sets of the simulator as boto3 sees them, against what AWS shows of the same templates.

    target/venvs/moto/bin/python tests/python/simulator_change_sets.py ENDPOINT
"""

import json

from botocore.exceptions import WaiterError
from simulated import client, refused, said

SOON = {"Delay": 0.1, "MaxAttempts": 600}
LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"

cloudformation = client("cloudformation")


def topic(name, **properties):
    return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name, **properties}}


def template(resources, **sections):
    return json.dumps({"Resources": resources, **sections})


def parameters(**values):
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def wait(what, name):
    cloudformation.get_waiter(f"stack_{what}").wait(StackName=name, WaiterConfig=SOON)


def create(stack, body, **arguments):
    cloudformation.create_stack(StackName=stack, TemplateBody=body, **arguments)
    wait("create_complete", stack)


def change_set(stack, body, name="next", kind="UPDATE", **arguments):
    """The change set once it is worked out, by names and by values."""
    made = cloudformation.create_change_set(
        StackName=stack, ChangeSetName=name, ChangeSetType=kind, TemplateBody=body, **arguments
    )
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"], WaiterConfig=SOON)
    except WaiterError:
        pass
    plain = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    return plain, cloudformation.describe_change_set(ChangeSetName=made["Id"], IncludePropertyValues=True)


def changes(found):
    return {it["ResourceChange"]["LogicalResourceId"]: it["ResourceChange"] for it in found["Changes"]}


def details(change):
    """Attribute or path, evaluation, source, cause, recreation."""
    return [
        (
            it["Target"].get("Path") or it["Target"].get("Name") or it["Target"]["Attribute"],
            it["Evaluation"],
            it["ChangeSource"],
            it.get("CausingEntity"),
            it["Target"]["RequiresRecreation"],
        )
        for it in change["Details"]
    ]


def shapes():
    plain, valued = change_set("shapes", template({"A": topic("a"), "B": topic("b", DisplayName={"Ref": "A"})}), kind="CREATE")
    for absent in ("Parameters", "Tags", "StatusReason", "Description"):
        assert absent not in plain, plain
    assert plain["Capabilities"] == [] and plain["NotificationARNs"] == [] and plain["RollbackConfiguration"] == {}
    assert plain["IncludeNestedStacks"] is False
    assert "BeforeContext" not in changes(plain)["A"] and "AfterContext" not in changes(plain)["A"]
    after = json.loads(changes(valued)["B"]["AfterContext"])
    assert after == {"Properties": {"TopicName": "b", "DisplayName": LATER}}, after
    stack = cloudformation.describe_stacks(StackName="shapes")["Stacks"][0]
    assert stack["Tags"] == [] and "ChangeSetId" not in stack and "LastUpdatedTime" not in stack, stack
    template_of = cloudformation.get_template(StackName="shapes")
    assert "TemplateBody" not in template_of, template_of
    text = said("ValidationError", cloudformation.get_template_summary, StackName="shapes")
    assert text == "GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.", text


def names_and_states():
    body = template({"A": topic("n1")})
    plain, _ = change_set("names", body, name="deploy", kind="CREATE", Tags=[{"Key": "k", "Value": "v"}])
    assert plain["Tags"] == [{"Key": "k", "Value": "v"}] and plain["ExecutionStatus"] == "AVAILABLE"
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    begun = cloudformation.describe_change_set(ChangeSetName=plain["ChangeSetId"])["ExecutionStatus"]
    assert begun == "EXECUTE_IN_PROGRESS", begun
    refused("InvalidChangeSetStatus", cloudformation.execute_change_set, ChangeSetName=plain["ChangeSetId"])
    wait("create_complete", "names")
    stack = cloudformation.describe_stacks(StackName="names")["Stacks"][0]
    assert stack["ChangeSetId"] == plain["ChangeSetId"] and "LastUpdatedTime" in stack, stack
    assert cloudformation.list_change_sets(StackName="names")["Summaries"] == []
    again, _ = change_set("names", template({"A": topic("n1", DisplayName="d")}), name="deploy")
    assert again["ChangeSetId"] != plain["ChangeSetId"]
    text = said(
        "ValidationError", cloudformation.create_change_set, StackName="names", ChangeSetName="x", ChangeSetType="CREATE",
        TemplateBody=body,
    )
    assert text == "Stack [names] already exists and cannot be created again with the changeSet [x].", text
    # By something else than itself the stack becomes another one.
    cloudformation.update_stack(StackName="names", TemplateBody=template({"A": topic("n1", DisplayName="e")}))
    wait("update_complete", "names")
    late = cloudformation.describe_change_set(ChangeSetName=again["ChangeSetId"])
    assert (late["Status"], late["ExecutionStatus"]) == ("CREATE_COMPLETE", "OBSOLETE"), late
    cloudformation.delete_stack(StackName="names")
    wait("delete_complete", plain["StackId"])
    kept = cloudformation.describe_change_set(ChangeSetName=plain["ChangeSetId"])
    assert kept["ExecutionStatus"] == "EXECUTE_COMPLETE" and kept["StackName"] == "names", kept
    refused("ChangeSetNotFound", cloudformation.describe_change_set, status=404, ChangeSetName=again["ChangeSetId"])
    for call in (cloudformation.describe_change_set, cloudformation.delete_change_set):
        text = said("ValidationError", call, StackName="none", ChangeSetName="x")
        assert text == "Stack [none] does not exist", text
        text = said("ValidationError", call, ChangeSetName="x")
        assert text == "StackName must be specified if ChangeSetName is not specified as an ARN.", text

    review, _ = change_set("review", body, kind="CREATE")
    assert cloudformation.create_stack(StackName="review", TemplateBody=body)["StackId"] == review["StackId"]
    wait("create_complete", "review")
    late = cloudformation.describe_change_set(ChangeSetName=review["ChangeSetId"])
    assert late["ExecutionStatus"] == "OBSOLETE", late


def a_failed_execution_says_so():
    plain, _ = change_set("fails", template({"Doomed": topic("fails")}), kind="CREATE")
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    try:
        wait("create_complete", "fails")
    except WaiterError:
        pass
    late = cloudformation.describe_change_set(ChangeSetName=plain["ChangeSetId"])
    assert late["ExecutionStatus"] == "EXECUTE_FAILED", late


def what_takes_something_of_what_is_replaced():
    def body(name):
        return template(
            {
                "Topic": topic(name),
                "ById": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Topic"}}},
                "ByName": {
                    "Type": "AWS::SSM::Parameter",
                    "Properties": {"Type": "String", "Value": {"Fn::Sub": "${Topic.TopicName}!"}, "Description": "d"},
                },
                "Gone": {"Type": "AWS::SQS::Queue"},
                "Kept": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain"},
            }
        )

    create("replaced", body("r1"))
    new = json.loads(body("r2"))["Resources"]
    del new["Gone"], new["Kept"]
    new["Topic"]["UpdateReplacePolicy"] = "Retain"
    plain, valued = change_set("replaced", template(new))
    found = changes(valued)
    assert list(found) == ["ById", "ByName", "Gone", "Kept", "Topic"], list(found)
    assert (found["Topic"]["Replacement"], found["Topic"]["PolicyAction"]) == ("True", "ReplaceAndRetain")
    assert found["Topic"]["Scope"] == ["Properties", "UpdateReplacePolicy"]
    assert (found["Gone"]["PolicyAction"], found["Kept"]["PolicyAction"]) == ("Delete", "Retain")
    assert json.loads(found["Kept"]["BeforeContext"]) == {"Properties": {}, "DeletionPolicy": "Retain"}
    assert found["ById"]["Replacement"] == "False" and "PolicyAction" not in found["ById"]
    value = "/Properties/Value"
    assert details(found["ById"]) == [
        (value, "Dynamic", "DirectModification", None, "Never"),
        (value, "Static", "ResourceReference", "Topic", "Never"),
    ], found["ById"]
    assert details(found["ByName"]) == [
        (value, "Static", "ResourceAttribute", "Topic.TopicName", "Never"),
        (value, "Dynamic", "DirectModification", None, "Never"),
    ], found["ByName"]
    target = found["ByName"]["Details"][0]["Target"]
    assert (target["BeforeValue"], target["AfterValue"], target["AttributeChangeType"]) == ("r1!", LATER, "Modify"), target
    assert json.loads(found["ByName"]["BeforeContext"])["Properties"]["Value"] == "r1!"
    assert details(changes(plain)["ByName"]) == [("Value", "Static", "ResourceAttribute", "Topic.TopicName", "Never")]
    assert "Path" not in changes(plain)["Topic"]["Details"][0]["Target"]
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    wait("update_complete", "replaced")
    events = cloudformation.describe_stack_events(StackName="replaced")["StackEvents"]
    for event in [it for it in events if it["ResourceStatus"].startswith("DELETE_")]:
        # What cleans up after an update shows no properties, and has an ID of another form.
        assert "ResourceProperties" not in event and "DELETE" not in event["EventId"], event
        assert event["EventId"].startswith(f"{event['LogicalResourceId']}-"), event
    assert {it["LogicalResourceId"] for it in events if it["ResourceStatus"] == "DELETE_COMPLETE"} == {"Gone"}, events


def settings_of_the_stack():
    some = ["CAPABILITY_IAM"]
    body = template({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"Tags": [{"Key": "a", "Value": {"Ref": "Tag"}}]}, "Metadata": {"of": {"Ref": "Tag"}}}}, Parameters={"Tag": {"Type": "String"}})
    plain, _ = change_set("settings", body, kind="CREATE", Parameters=parameters(Tag="1"), Capabilities=some)
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    wait("create_complete", "settings")
    # A change set doesn't keep capabilities; UpdateStack does, and isn't the execution of a change set.
    plain, _ = change_set("settings", body, name="unused", Parameters=parameters(Tag="2"))
    assert plain["Capabilities"] == [], plain
    assert details(changes(plain)["Bucket"]) == [
        ("Metadata", "Static", "ParameterReference", "Tag", "Never"),
        ("Tags", "Static", "ParameterReference", "Tag", "Never"),
        ("Metadata", "Dynamic", "DirectModification", None, "Never"),
        ("Tags", "Dynamic", "DirectModification", None, "Never"),
    ], plain["Changes"]
    assert changes(plain)["Bucket"]["Scope"] == ["Metadata", "Properties"], plain["Changes"]
    assert {it["Target"]["Attribute"] for it in changes(plain)["Bucket"]["Details"]} == {"Properties", "Metadata"}
    cloudformation.update_stack(StackName="settings", TemplateBody=body, Parameters=parameters(Tag="3"))
    wait("update_complete", "settings")
    stack = cloudformation.describe_stacks(StackName="settings")["Stacks"][0]
    assert stack["Capabilities"] == some and "ChangeSetId" not in stack, stack
    plain, _ = change_set("settings", body, Parameters=parameters(Tag="4"))
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    wait("update_complete", "settings")
    stack = cloudformation.describe_stacks(StackName="settings")["Stacks"][0]
    assert "Capabilities" not in stack and stack["ChangeSetId"] == plain["ChangeSetId"], stack


def what_takes_something_of_what_changes():
    def body(name, **new):
        return template(
            {
                "First": topic("f1", DisplayName=name, **new),
                "Second": topic("f2", DisplayName={"Fn::GetAtt": ["First", "DisplayName"]}),
                "Third": topic("f3", DisplayName={"Fn::Sub": "${Second.DisplayName}"}),
                "ById": topic("f4", DisplayName={"Ref": "First"}),
            }
        )

    create("chain", body("one"))
    plain, valued = change_set("chain", body("two", Tags=[{"Key": "a", "Value": "b"}]))
    # What may be another value afterwards is listed by name; with values nothing is known of it.
    assert list(changes(plain)) == ["First", "Second", "Third"], list(changes(plain))
    assert details(changes(plain)["Third"]) == [
        ("DisplayName", "Dynamic", "ResourceAttribute", "Second.DisplayName", "Never")
    ]
    assert list(changes(valued)) == ["First"], list(changes(valued))
    assert changes(valued)["First"]["Scope"] == ["Properties", "Tags"]
    tags = changes(valued)["First"]["Details"][1]["Target"]
    assert tags == {
        "Attribute": "Tags",
        "RequiresRecreation": "Never",
        "Path": "/Properties/Tags",
        "AfterValue": '[{"Key":"a","Value":"b"}]',
        "AttributeChangeType": "Add",
    }, tags


def parameters_metadata_and_policies():
    def body(variable, note, **more):
        rule = {
            "Type": "AWS::Events::Rule",
            "Metadata": {"Note": note},
            "Properties": {"EventPattern": {"detail": {"a": [variable, "same"]}}, "Description": {"Ref": "Kind"}},
            **more,
        }
        plain = {"Type": "AWS::SQS::Queue", "Metadata": {"Note": note}}
        return template(
            {"Rule": rule, "Queue": plain},
            Parameters={"Kind": {"Type": "String", "Default": "one"}, "Unused": {"Type": "String", "Default": "x"}},
        )

    create("values", body("one", "first"))
    plain, valued = change_set(
        "values", body("two", "second", DeletionPolicy="Retain"), Parameters=parameters(Kind="two")
    )
    assert {it["ParameterKey"]: it["ParameterValue"] for it in plain["Parameters"]} == {"Kind": "two", "Unused": "x"}
    found = changes(valued)
    assert found["Queue"]["Scope"] == ["Metadata"] and found["Queue"]["Replacement"] == "False", found["Queue"]
    assert found["Queue"]["Details"][0]["Target"]["Path"] == "/Metadata/Note"
    assert details(found["Rule"]) == [
        ("/DeletionPolicy", "Static", "DirectModification", None, "Never"),
        ("/Metadata/Note", "Static", "DirectModification", None, "Never"),
        ("/Properties/Description", "Dynamic", "DirectModification", None, "Never"),
        ("/Properties/Description", "Static", "ParameterReference", "Kind", "Never"),
        ("/Properties/EventPattern/detail/a/0", "Static", "DirectModification", None, "Never"),
    ], details(found["Rule"])
    assert [it[:4] for it in details(changes(plain)["Rule"])] == [
        ("Description", "Static", "ParameterReference", "Kind"),
        ("DeletionPolicy", "Static", "DirectModification", None),
        ("Metadata", "Static", "DirectModification", None),
        ("Description", "Dynamic", "DirectModification", None),
        ("EventPattern", "Static", "DirectModification", None),
    ], details(changes(plain)["Rule"])


def outputs_tags_and_nothing():
    body = template({"A": topic("o1")})
    create("idle", body, Tags=[{"Key": "a", "Value": "1"}])
    same, _ = change_set("idle", body, name="same")
    assert same["Status"] == "FAILED" and "didn't contain changes" in same["StatusReason"], same
    outputs, _ = change_set("idle", template({"A": topic("o1")}, Outputs={"O": {"Value": "x"}}), name="outputs")
    assert (outputs["Status"], outputs["ExecutionStatus"], outputs["Changes"]) == ("CREATE_COMPLETE", "AVAILABLE", []), outputs
    tagged, _ = change_set("idle", body, name="tags", Tags=[{"Key": "a", "Value": "2"}])
    assert changes(tagged)["A"]["Scope"] == ["Tags"], tagged["Changes"]
    plain = {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
    resources = template({"A": topic("o2"), "Bucket": {"Type": "AWS::S3::Bucket"}, **plain})
    create("tagged", resources, Tags=[{"Key": "a", "Value": "1"}])
    found, _ = change_set("tagged", resources, Tags=[{"Key": "a", "Value": "2"}])
    cloudformation.execute_change_set(ChangeSetName=found["ChangeSetId"])
    wait("update_complete", "tagged")
    statuses = {it["LogicalResourceId"]: it for it in cloudformation.describe_stack_resources(StackName="tagged")["StackResources"]}
    assert {id: it["ResourceStatus"] for id, it in statuses.items()} == {
        "A": "UPDATE_COMPLETE", "Bucket": "UPDATE_COMPLETE", "Handle": "CREATE_COMPLETE",
    }, statuses
    tags = client("s3").get_bucket_tagging(Bucket=statuses["Bucket"]["PhysicalResourceId"])["TagSet"]
    assert {"Key": "a", "Value": "2"} in tags, tags
    cloudformation.execute_change_set(StackName="idle", ChangeSetName="outputs")
    wait("update_complete", "idle")
    assert cloudformation.describe_stacks(StackName="idle")["Stacks"][0]["Outputs"] == [{"OutputKey": "O", "OutputValue": "x"}]


def transforms_and_exports():
    language = json.dumps({"Transform": "AWS::LanguageExtensions", **json.loads(template({"A": topic("l")}))})
    plain, _ = change_set("language", language, kind="CREATE")
    assert plain["Status"] == "CREATE_COMPLETE", plain
    refused("InsufficientCapabilitiesException", cloudformation.create_stack, StackName="no", TemplateBody=language)
    include = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://nowhere-at-all/key.yml"}}}
    plain, _ = change_set("include", template({"A": {"Type": "AWS::SNS::Topic", "Properties": include}}), kind="CREATE")
    assert plain["Status"] == "FAILED", plain
    assert plain["StatusReason"] == "Transform AWS::Include failed with: S3 bucket [nowhere-at-all] does not exist."

    importing, _ = change_set("imports", template({"A": topic("i", DisplayName={"Fn::ImportValue": "late"})}), kind="CREATE")
    assert importing["Status"] == "CREATE_COMPLETE", importing
    create("exports", template({"B": topic("e")}, Outputs={"E": {"Value": "v", "Export": {"Name": "late"}}}))
    cloudformation.execute_change_set(ChangeSetName=importing["ChangeSetId"])
    wait("create_complete", "imports")
    assert cloudformation.list_imports(ExportName="late")["Imports"] == ["imports"]
    # A template with a transform may come to something else each time.
    create("transformed", language.replace('"l"', '"l2"'), Capabilities=["CAPABILITY_AUTO_EXPAND"])
    cloudformation.update_stack(
        StackName="transformed", TemplateBody=language.replace('"l"', '"l2"'), Capabilities=["CAPABILITY_AUTO_EXPAND"]
    )
    wait("update_complete", "transformed")


def existing_resources_are_imported():
    s3 = client("s3")
    s3.create_bucket(Bucket="found-bucket")
    bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "found-bucket"}}
    wanted = [
        {"ResourceType": "AWS::S3::Bucket", "LogicalResourceId": "Found", "ResourceIdentifier": {"BucketName": "found-bucket"}}
    ]
    refuse = {"StackName": "import", "ChangeSetName": "x", "ChangeSetType": "IMPORT", "ResourcesToImport": wanted}
    unprotected = template({"Found": {**bucket, "DeletionPolicy": "Delete"}}).replace('"DeletionPolicy": "Delete", ', "")
    text = said("ValidationError", cloudformation.create_change_set, TemplateBody=unprotected, **refuse)
    assert "must have DeletionPolicy attribute" in text, text
    text = said(
        "ValidationError", cloudformation.create_change_set, TemplateBody=template({"Found": bucket, "New": topic("n")}), **refuse
    )
    assert text.startswith("You have modified resources [New] in your template that are not being imported."), text
    plain, _ = change_set("import", template({"Found": bucket}), kind="IMPORT", ResourcesToImport=wanted)
    assert changes(plain)["Found"]["Action"] == "Import" and changes(plain)["Found"]["PhysicalResourceId"] == "found-bucket"
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    cloudformation.get_waiter("stack_import_complete").wait(StackName="import", WaiterConfig=SOON)
    found = cloudformation.describe_stack_resources(StackName="import")["StackResources"][0]
    assert (found["PhysicalResourceId"], found["ResourceStatus"]) == ("found-bucket", "IMPORT_COMPLETE"), found

    gone = json.loads(json.dumps({"Found": bucket, "Gone": bucket}).replace("found-bucket\"}}}", "gone-bucket\"}}}"))
    wanted = [{"ResourceType": "AWS::S3::Bucket", "LogicalResourceId": "Gone", "ResourceIdentifier": {"BucketName": "gone-bucket"}}]
    plain, _ = change_set("import", template(gone), name="gone", kind="IMPORT", ResourcesToImport=wanted)
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    try:
        cloudformation.get_waiter("stack_import_complete").wait(StackName="import", WaiterConfig=SOON)
    except WaiterError:
        pass
    stack = cloudformation.describe_stacks(StackName="import")["Stacks"][0]
    assert stack["StackStatus"] == "IMPORT_ROLLBACK_COMPLETE", stack
    assert cloudformation.describe_change_set(ChangeSetName=plain["ChangeSetId"])["ExecutionStatus"] == "EXECUTE_FAILED"


def nested_stacks():
    s3 = client("s3")
    s3.create_bucket(Bucket="nested-templates")

    def upload(name, body):
        s3.put_object(Bucket="nested-templates", Key=name, Body=body)
        return f"https://nested-templates.s3.amazonaws.com/{name}"

    url = upload("child.json", template({"A": topic("c1")}))
    child = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    parent = template({"Child": child, "B": topic("c2")})
    create("parent", parent)
    # What isn't looked into may have changed; what is looked into hasn't.
    plain, _ = change_set("parent", parent, name="blind")
    assert details(changes(plain)["Child"]) == [("Properties", "Dynamic", "Automatic", None, "Never")], plain["Changes"]
    plain, _ = change_set("parent", parent, name="same", IncludeNestedStacks=True)
    assert plain["Status"] == "FAILED" and plain["IncludeNestedStacks"] is True, plain
    upload("child.json", template({"A": topic("c1", DisplayName="d")}))
    plain, _ = change_set("parent", parent, name="seen", IncludeNestedStacks=True)
    inner = cloudformation.describe_change_set(ChangeSetName=changes(plain)["Child"]["ChangeSetId"])
    assert inner["ParentChangeSetId"] == inner["RootChangeSetId"] == plain["ChangeSetId"], inner
    assert changes(inner)["A"]["Action"] == "Modify", inner
    assert inner["ExecutionStatus"] == "UNAVAILABLE" and inner["StatusReason"] == "Executable from root change set", inner
    refused("InvalidChangeSetStatus", cloudformation.execute_change_set, ChangeSetName=inner["ChangeSetId"])
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    wait("update_complete", "parent")
    assert cloudformation.describe_change_set(ChangeSetName=inner["ChangeSetId"])["ExecutionStatus"] == "EXECUTE_COMPLETE"


def nested_stacks_that_are_added():
    s3 = client("s3")
    s3.create_bucket(Bucket="added-templates")

    def nested(name, body, **values):
        s3.put_object(Bucket="added-templates", Key=name, Body=body)
        url = f"https://added-templates.s3.amazonaws.com/{name}"
        return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": values}}

    def family(root):
        found = cloudformation.list_stacks()["StackSummaries"]
        return {it["StackName"]: it for it in found if it.get("RootId") == root}

    def hierarchy(found):
        middle = cloudformation.describe_change_set(ChangeSetName=changes(found)["Middle"]["ChangeSetId"])
        return middle, cloudformation.describe_change_set(ChangeSetName=changes(middle)["Deep"]["ChangeSetId"])

    deep = nested("deep", template({"A": topic("deep")}))
    name = {"Name": {"Type": "String", "AllowedPattern": "arn:.*"}}
    middle = nested("middle", template({"Deep": deep, "B": topic("b", DisplayName={"Ref": "Name"})}, Parameters=name), Name={"Ref": "C"})
    body = template({"C": topic("c"), "Middle": middle})
    plain, _ = change_set("tree", body, name="first", kind="CREATE", IncludeNestedStacks=True)
    assert plain["ExecutionStatus"] == "AVAILABLE" and changes(plain)["Middle"]["Action"] == "Add", plain
    one, other = hierarchy(plain)
    assert (one["ParentChangeSetId"], other["ParentChangeSetId"]) == (plain["ChangeSetId"], one["ChangeSetId"])
    for found in [one, other]:
        assert found["RootChangeSetId"] == plain["ChangeSetId"] and found["ExecutionStatus"] == "UNAVAILABLE", found
        assert {it["Action"] for it in changes(found).values()} == {"Add"}, found
    review = family(plain["StackId"])
    assert {it["StackStatus"] for it in review.values()} == {"REVIEW_IN_PROGRESS"} and len(review) == 2, review
    assert review[other["StackName"]]["ParentId"] == one["StackId"], review
    # Another change set has stacks of its own, which go when the first is executed.
    rival, _ = change_set("tree", body, name="second", kind="CREATE", IncludeNestedStacks=True)
    assert len(family(plain["StackId"])) == 4
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    wait("create_complete", "tree")
    assert {name for name, it in family(plain["StackId"]).items() if it["StackStatus"] != "DELETE_COMPLETE"} == set(review)
    resource = cloudformation.describe_stack_resource(StackName="tree", LogicalResourceId="Middle")["StackResourceDetail"]
    assert resource["PhysicalResourceId"] == one["StackId"], resource
    for found in hierarchy(plain):
        assert found["ExecutionStatus"] == "EXECUTE_COMPLETE", found
    refused("ChangeSetNotFound", cloudformation.describe_change_set, ChangeSetName=rival["ChangeSetId"])
    # One that is deleted takes its stacks with it, and one in which something fails has failed.
    more = template({"C": topic("c"), "Middle": middle, "Deep": deep})
    plain, _ = change_set("tree", more, IncludeNestedStacks=True)
    added = cloudformation.describe_change_set(ChangeSetName=changes(plain)["Deep"]["ChangeSetId"])
    cloudformation.delete_change_set(ChangeSetName=plain["ChangeSetId"])
    assert family(plain["StackId"])[added["StackName"]]["StackStatus"] == "DELETE_COMPLETE"
    wrong = nested("wrong", template({"A": topic({"Ref": "Nothing"})}))
    plain, _ = change_set("tree", template({"C": topic("c"), "Middle": middle, "Wrong": wrong}), IncludeNestedStacks=True)
    inner = changes(plain)["Wrong"]["ChangeSetId"]
    assert plain["StatusReason"] == f"Nested change set {inner} was not successfully created: Currently in FAILED.", plain
    inner = cloudformation.describe_change_set(ChangeSetName=inner)
    assert inner["StatusReason"].startswith("Template format error: Unresolved resource dependencies [Nothing]"), inner


def existing_resources_with_a_name():
    client("ssm").put_parameter(Name="/kept", Value="v", Type="String")

    def parameter(name, **more):
        return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": "v"}, **more}

    keys = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    table = {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {"TableName": "kept", **keys}}
    create("leaves", template({"Table": table}))
    cloudformation.delete_stack(StackName="leaves")
    wait("delete_complete", "leaves")
    keep = {"DeletionPolicy": "RetainExceptOnCreate"}
    body = template({
        "Table": table,
        "Kept": parameter("/kept", **keep),
        "New": parameter("/new", **keep),
        "Unkept": parameter("/unkept"),
        "Topic": topic("known-by-its-arn"),
    })
    plain, _ = change_set("takes", body, kind="CREATE")
    assert "ImportExistingResources" not in plain and {it["Action"] for it in changes(plain).values()} == {"Add"}, plain
    plain, _ = change_set("takes", body, name="import", kind="CREATE", ImportExistingResources=True)
    actions = {id: (it["Action"], it.get("PhysicalResourceId")) for id, it in changes(plain).items()}
    add = ("Add", None)
    assert plain["ImportExistingResources"] and actions == {
        "Table": ("Import", "kept"), "Kept": ("Import", "/kept"), "New": add, "Unkept": add, "Topic": add,
    }, plain
    cloudformation.execute_change_set(ChangeSetName=plain["ChangeSetId"])
    wait("create_complete", "takes")
    found = cloudformation.describe_stack_resources(StackName="takes")["StackResources"]
    statuses = {it["LogicalResourceId"]: it["ResourceStatus"] for it in found}
    assert statuses == {id: "IMPORT_COMPLETE" if id in ("Table", "Kept") else "CREATE_COMPLETE" for id in statuses}, statuses
    # What a stack has can't be another's, and a name that a function makes isn't looked for.
    plain, _ = change_set("takes-too", template({"Table": table}), kind="CREATE", ImportExistingResources=True)
    assert changes(plain)["Table"]["Action"] == "Add", plain
    cloudformation.delete_stack(StackName="takes")
    wait("delete_complete", "takes")
    plain, _ = change_set(
        "takes-too", template({"Kept": parameter({"Fn::Sub": "/kept"}, **keep)}), name="dynamic", kind="CREATE", ImportExistingResources=True
    )
    assert changes(plain)["Kept"]["Action"] == "Add", plain


shapes()
names_and_states()
a_failed_execution_says_so()
what_takes_something_of_what_is_replaced()
settings_of_the_stack()
what_takes_something_of_what_changes()
parameters_metadata_and_policies()
outputs_tags_and_nothing()
transforms_and_exports()
existing_resources_are_imported()
nested_stacks()
nested_stacks_that_are_added()
existing_resources_with_a_name()
print('"passed"')
