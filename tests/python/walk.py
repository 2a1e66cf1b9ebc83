"""Walks changes through a pipeline that a stack in the simulator describes, as CodePipeline would.

It reads the pipeline out of the deployed stack's template, with the physical ids that the stack has, and does what the
actions say, as strictly as AWS's documents: `walk_pipeline.py` knows stages, artifacts and variables, `walk_actions.py` the
actions, `walk_iam.py` the roles' policies, by which every call is allowed or denied. The sources come from a bare git
repository and from S3, CodeBuild projects run their buildspecs in bash (`buildspec.py`), the Lambda function is the real
binary with what stands around it (`walk_function.py`).

    walk.py ENDPOINT REGION STACK WORK REPOSITORIES TOKEN FUNCTION

WORK is a folder to work in. REPOSITORIES holds bare repositories, `owner/name.git`, that stand for GitHub, which takes TOKEN.
FUNCTION is the function's binary. Every line of JSON on standard input is a command, and one line answers each:

    {"configuration": FOLDER}   uploads the folder's files as `configuration.zip`
    {"configured": true}        somebody else has uploaded `configuration.zip`
    {"push": BRANCH}            a push to the repository's branch
    {"create": true}            what CodePipeline does when the pipeline has been created
    {"tick": true}              the time of every schedule has come
    {"undelivered": RULE}       EventBridge could not call the targets of a rule, by its logical ID
    {"approve": true}           answers the approval that waits (`false` rejects)
    {"faults": [FAULT…]}        what AWS answers wrongly from now on; see `faults.py`
    {"status": true}            nothing

Whatever starts an execution, all of them go as far as they can. The answer has the executions so far with their stages and
variables, the names of the pipeline's buckets, the calls that were denied, the permissions that no call has needed yet, the
messages that were published, the schedules, and the body of the dashboard.
"""

import io
import json
import pathlib
import sys
import zipfile

import boto3
from faults import Faults
from walk_actions import Actions
from walk_events import Events
from walk_iam import Gate, Policies
from walk_pipeline import Pipeline
from walk_template import Template


def client(endpoint, service, region):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def zipped(folder):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(pathlib.Path(folder).iterdir()):
            archive.write(file, file.name)
    return packed.getvalue()


def main():
    endpoint, region, stack, work, repositories, token, function = sys.argv[1:]
    s3 = client(endpoint, "s3", region)
    template = Template(client(endpoint, "cloudformation", region), stack)
    policies = Policies(template)
    pathlib.Path(work).mkdir(parents=True)
    log = pathlib.Path(work) / "calls.ndjson"
    port = int(endpoint.rpartition(":")[2])
    gate = Gate(port, log, policies, lambda region: client(endpoint, "cloudformation", region), s3)
    actions = Actions(template, gate, policies, region, work, repositories, token, function)
    pipeline = Pipeline(template.properties("Pipeline"), actions)
    events = Events(template, policies, pipeline.start, gate.messages)
    pipeline.stage_failed = events.stage_failed
    schedules = {}
    buckets = {name: template.names[name] for name in template.resources("AWS::S3::Bucket")}
    dashboards = template.resources("AWS::CloudWatch::Dashboard")
    dashboard = [json.loads(template.properties(it)["DashboardBody"]) for it in dashboards]
    for line in sys.stdin:
        command = json.loads(line)
        if "configuration" in command:
            body = zipped(command["configuration"])
            s3.put_object(Bucket=buckets["ConfigurationBucket"], Key="configuration.zip", Body=body)
            events.object_created(buckets["ConfigurationBucket"], "configuration.zip")
        elif "configured" in command:
            events.object_created(buckets["ConfigurationBucket"], "configuration.zip")
        elif "push" in command:
            if pipeline.is_triggered_by(command["push"]):
                pipeline.start()
        elif "create" in command:
            # https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-about-starting.html
            pipeline.start()
        elif "tick" in command:
            schedules = events.tick()
        elif "undelivered" in command:
            events.undelivered(command["undelivered"])
        elif "faults" in command:
            gate.injected = Faults(command["faults"], 0)
        elif "approve" in command:
            pipeline.answer(command["approve"])
        executions = [it.shown() for it in pipeline.executions]
        denied, unused = policies.denied + events.refused, policies.unused()
        told = {"denied": denied, "unused": unused, "messages": gate.messages, "schedules": schedules}
        answer = {"executions": executions, "buckets": buckets, "dashboard": dashboard, **told}
        print(json.dumps(answer), flush=True)


main()
