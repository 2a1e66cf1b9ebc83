"""Walks a change through a pipeline that stands in the simulator, stage by stage, as CodePipeline would.

It reads the pipeline out of the deployed stack's template, with the physical ids that the stack has, and does what the
actions say: the sources come from a bare git repository and from S3, CodeBuild projects run their buildspecs in bash
(`buildspec.py`), the Lambda function is the real binary with what stands around it (`pipeline.py`), CloudFormation actions
make and execute change sets in the simulator. Approvals are given or not, as the caller says.

    walk.py ENDPOINT REGION STACK WORK REPOSITORIES TOKEN CONFIGURATION FUNCTION [approve]

WORK is a folder to work in. REPOSITORIES holds bare repositories, `owner/name.git`, that stand for GitHub, which takes TOKEN.
CONFIGURATION is a folder whose files become `configuration.zip`. FUNCTION is the function's binary. Prints the stages and how
they ended as JSON, and the names that the pipeline's buckets have.
"""

import io
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import uuid
import zipfile

import boto3
import yaml

HERE = pathlib.Path(__file__).parent


class Stop(Exception):
    """An action failed; its stage fails with it and nothing more is done."""


class Template:
    """The deployed template, whose references are resolved with what the stack has."""

    def __init__(self, cloudformation, stack):
        body = cloudformation.get_template(StackName=stack)["TemplateBody"]
        self.root = body if isinstance(body, dict) else yaml.load(body, Loader)
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        self.arns = {"StackName": found["StackName"], "StackId": found["StackId"]}
        _, partition, _, region, account, _ = found["StackId"].split(":", 5)
        self.arns |= {"Partition": partition, "Region": region, "AccountId": account, "URLSuffix": "amazonaws.com"}
        self.names = {it["ParameterKey"]: it["ParameterValue"] for it in found.get("Parameters", [])}
        resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        self.names |= {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in resources}

    def properties(self, logical_id):
        return self.value(self.root["Resources"][logical_id]["Properties"])

    def value(self, node):
        if isinstance(node, list):
            values = [self.value(item) for item in node]
            return [value for value in values if value is not None]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument), = node.items()
            function = getattr(self, "fn_" + name.removeprefix("Fn::").lower(), None)
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return function(argument)
        values = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not None}

    def fn_ref(self, name):
        if name == "AWS::NoValue":
            return None
        return self.arns[name[5:]] if name.startswith("AWS::") else self.names[name]

    def fn_getatt(self, argument):
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        assert attribute == "Arn", argument
        kind, name = self.root["Resources"][logical_id]["Type"], self.names[logical_id]
        partition, region, account = (self.arns[it] for it in ["Partition", "Region", "AccountId"])
        return {
            "AWS::S3::Bucket": f"arn:{partition}:s3:::{name}",
            "AWS::IAM::Role": f"arn:{partition}:iam::{account}:role/{name}",
            "AWS::Lambda::Function": f"arn:{partition}:lambda:{region}:{account}:function:{name}",
            "AWS::CodeBuild::Project": f"arn:{partition}:codebuild:{region}:{account}:project/{name}",
            "AWS::KMS::Key": f"arn:{partition}:kms:{region}:{account}:key/{name}",
        }.get(kind, name)

    def fn_sub(self, argument):
        text, own = argument if isinstance(argument, list) else (argument, {})
        own = {key: self.value(value) for key, value in own.items()}

        def put(found):
            name = found.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return own[name]
            return self.fn_getatt(name) if "." in name else self.fn_ref(name)

        return re.sub(r"\$\{([^}]+)\}", put, text)

    def fn_if(self, argument):
        condition, yes, no = argument
        return self.value(yes if self.value(self.root["Conditions"][condition]) else no)

    def fn_equals(self, argument):
        one, other = self.value(argument)
        return str(one) == str(other)

    def fn_condition(self, name):
        return self.value(self.root["Conditions"][name])

    def fn_not(self, argument):
        return not self.value(argument)[0]

    def fn_and(self, argument):
        return all(self.value(argument))

    def fn_or(self, argument):
        return any(self.value(argument))

    def fn_select(self, argument):
        return self.value(argument[1])[int(argument[0])]

    def fn_split(self, argument):
        return self.value(argument[1]).split(argument[0])

    def fn_join(self, argument):
        return argument[0].join(self.value(argument[1]))


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def short_form(loader, tag, node):
    name = tag if tag == "Ref" else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short_form)


class Walk:
    def __init__(self, endpoint, region, stack, work, repositories, token, function, approves):
        self.endpoint, self.region, self.work = endpoint, region, pathlib.Path(work)
        self.repositories, self.token, self.function, self.approves = pathlib.Path(repositories), token, function, approves
        self.cloudformation, self.s3, self.secrets = (self.client(it) for it in ["cloudformation", "s3", "secretsmanager"])
        self.template = Template(self.cloudformation, stack)
        self.artifacts, self.variables = {}, {}
        self.folders = 0

    def configure(self, folder):
        """What a user does: zips the configuration and uploads it."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted(pathlib.Path(folder).iterdir()):
                archive.write(file, file.name)
        self.s3.put_object(Bucket=self.template.names["ConfigurationBucket"], Key="configuration.zip", Body=packed.getvalue())

    def client(self, service):
        return boto3.client(service, endpoint_url=self.endpoint, region_name=self.region)

    def folder(self, name):
        self.folders += 1
        path = self.work / f"{self.folders}-{name}"
        path.mkdir(parents=True)
        return path

    def run(self):
        stages = {}
        for stage in self.template.properties("Pipeline")["Stages"]:
            actions = sorted(stage["Actions"], key=lambda action: action.get("RunOrder", 1))
            try:
                for action in actions:
                    stages[stage["Name"]] = f"{action['Name']}: {self.act(action)}"
            except Stop as stop:
                stages[stage["Name"]] = f"{action['Name']} failed: {stop}"
                break
        return {"stages": stages, "variables": self.variables}

    def act(self, action):
        provider = action["ActionTypeId"]["Provider"]
        does = {
            "CodeStarSourceConnection": self.clone,
            "S3": self.unzip,
            "CodeBuild": self.build,
            "Lambda": self.invoke,
            "CloudFormation": self.deploy,
            "Manual": self.approve,
        }[provider]
        configuration = {key: self.with_variables(value) for key, value in action["Configuration"].items()}
        said, variables, artifact = does(action, configuration)
        if "Namespace" in action:
            self.variables[action["Namespace"]] = variables
        for output in action.get("OutputArtifacts", []):
            self.artifacts[output["Name"]] = artifact
        return said

    def with_variables(self, text):
        if not isinstance(text, str):
            return text
        return re.sub(r"#\{(\w+)\.(\w+)\}", lambda found: self.variables[found.group(1)][found.group(2)], text)

    # Sources.

    def clone(self, action, configuration):
        path = self.folder("repository")
        branch = configuration["BranchName"]
        repository = self.repositories / f"{configuration['FullRepositoryId']}.git"
        git(path.parent, "clone", "--quiet", "--branch", branch, str(repository), str(path))
        commit = git(path, "rev-parse", "HEAD")
        return commit, {"CommitId": commit, "BranchName": branch}, path

    def unzip(self, action, configuration):
        path = self.folder("configuration")
        found = self.s3.get_object(Bucket=configuration["S3Bucket"], Key=configuration["S3ObjectKey"])
        zipfile.ZipFile(io.BytesIO(found["Body"].read())).extractall(path)
        return found["ETag"], {"VersionId": found.get("VersionId", ""), "ETag": found["ETag"]}, path

    # Builds.

    def build(self, action, configuration):
        logical_id = next(
            it for it, name in self.template.names.items()
            if name == configuration["ProjectName"] and self.template.root["Resources"].get(it, {}).get("Type") == "AWS::CodeBuild::Project"
        )
        project = self.template.properties(logical_id)
        bucket, key = project["Source"]["BuildSpec"].split(":::")[1].split("/", 1)
        path = self.folder(action["Name"].lower())
        buildspec = path / "buildspec.yml"
        self.s3.download_file(bucket, key, str(buildspec))
        source = path / "source"
        primary = configuration.get("PrimarySource", action["InputArtifacts"][0]["Name"])
        subprocess.run(["cp", "-a", str(self.artifacts[primary]), str(source)], check=True)
        environment = {
            **os.environ,
            "HOME": str(self.folder("home")),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }
        for artifact in action["InputArtifacts"]:
            if artifact["Name"] != primary:
                environment[f"CODEBUILD_SRC_DIR_{artifact['Name']}"] = str(self.artifacts[artifact["Name"]])
        given = [{key.lower(): value for key, value in it.items()} for it in project["Environment"].get("EnvironmentVariables", [])]
        for variable in given + json.loads(configuration.get("EnvironmentVariables", "[]")):
            value = variable["value"]
            if variable.get("type") == "SECRETS_MANAGER":
                value = self.secrets.get_secret_value(SecretId=value)["SecretString"]
            environment[variable["name"]] = value
        output = path / "output"
        ended = subprocess.run(
            [sys.executable, str(HERE / "buildspec.py"), str(buildspec), str(source), str(output)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        (path / "log.txt").write_text(ended.stdout)
        if ended.returncode != 0:
            raise Stop(f"build failed, {path / 'log.txt'}:\n" + "\n".join(ended.stdout.splitlines()[-5:]))
        return "built", {}, output / "artifacts"

    # The function.

    def invoke(self, action, configuration):
        job = {
            "id": str(uuid.uuid4()),
            "accountId": self.template.arns["AccountId"],
            "data": {
                "actionConfiguration": {"configuration": configuration},
                "inputArtifacts": [{"name": it["Name"], "revision": None} for it in action.get("InputArtifacts", [])],
                "outputArtifacts": [],
            },
        }
        with Function(self.function, self.repositories, self.token, self.endpoint, self.region) as function:
            # GitHub is elsewhere here.
            parameters = json.loads(configuration["UserParameters"])
            configuration["UserParameters"] = json.dumps({**parameters, "apiUrl": function.github})
            told = function.told({"CodePipeline.job": job})
        if told["action"] != "PutJobSuccessResult":
            raise Stop(told["failureDetails"]["message"])
        return told["executionDetails"]["summary"], told["outputVariables"], None

    # CloudFormation.

    def deploy(self, action, configuration):
        stack, name = configuration["StackName"], configuration["ChangeSetName"]
        if configuration["ActionMode"] == "CHANGE_SET_EXECUTE":
            self.cloudformation.execute_change_set(StackName=stack, ChangeSetName=name)
            return self.settled(stack), {}, None
        assert configuration["ActionMode"] == "CHANGE_SET_REPLACE", configuration
        given = json.loads(self.file(configuration["TemplateConfiguration"])) if "TemplateConfiguration" in configuration else {}
        parameters = {**given.get("Parameters", {}), **json.loads(configuration.get("ParameterOverrides", "{}"))}
        stacks = {it["StackName"]: it["StackStatus"] for it in self.cloudformation.describe_stacks()["Stacks"]}
        exists = stacks.get(stack, "REVIEW_IN_PROGRESS") != "REVIEW_IN_PROGRESS"
        if stack in stacks:
            # The new change set replaces one of that name, executed or not.
            self.cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
        self.cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateBody=self.file(configuration["TemplatePath"]),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in given.get("Tags", {}).items()],
            Capabilities=configuration["Capabilities"].split(","),
            RoleARN=configuration["RoleArn"],
        )
        while True:
            found = self.cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)
            if found["Status"] not in ["CREATE_PENDING", "CREATE_IN_PROGRESS"]:
                break
            time.sleep(0.1)
        if found["Status"] != "CREATE_COMPLETE":
            raise Stop(found.get("StatusReason", found["Status"]))
        changes = [it["ResourceChange"] for it in found["Changes"]]
        return ", ".join(f"{it['Action']} {it['LogicalResourceId']}" for it in changes), {}, None

    def file(self, place):
        artifact, path = place.split("::", 1)
        return (self.artifacts[artifact] / path).read_text()

    def settled(self, stack):
        while True:
            status = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                break
            time.sleep(0.1)
        if status not in ["CREATE_COMPLETE", "UPDATE_COMPLETE"]:
            raise Stop(status)
        return status

    def approve(self, action, configuration):
        if not self.approves:
            raise Stop("rejected")
        return "approved", {}, None


class Function:
    """The Lambda function and what stands around it, for one call."""

    def __init__(self, binary, repositories, token, endpoint, region):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.around = subprocess.Popen([sys.executable, str(HERE / "pipeline.py"), str(repositories), token], **pipes)
        ports = json.loads(self.around.stdout.readline())
        self.github = f"https://localhost:{ports['github_tls']}"
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{ports['runtime']}",
            "AWS_ENDPOINT_URL_CODEPIPELINE": f"http://127.0.0.1:{ports['codepipeline']}",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint,
            "AWS_LAMBDA_FUNCTION_NAME": "git-merge",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_REGION": region,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "SSL_CERT_FILE": str(pathlib.Path(repositories) / "ca.pem"),
        }
        self.process = subprocess.Popen([binary], env=environment, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.around.stdin.close()
        self.around.wait()

    def told(self, event):
        """What the function told CodePipeline."""
        self.command({"invoke": event, "seconds": 60})
        return self.command({"calls": True})["codepipeline"][-1]

    def command(self, command):
        self.around.stdin.write(json.dumps(command) + "\n")
        self.around.stdin.flush()
        return json.loads(self.around.stdout.readline())


def git(folder, *arguments):
    ended = subprocess.run(["git", *arguments], cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return ended.stdout.strip()


def main():
    endpoint, region, stack, work, repositories, token, configuration, function, *approve = sys.argv[1:]
    walk = Walk(endpoint, region, stack, work, repositories, token, function, approve == ["approve"])
    walk.configure(configuration)
    buckets = {name: walk.template.names[name] for name in ["ArtifactBucket", "ConfigurationBucket", "ProductionBucket"]}
    print(json.dumps({**walk.run(), "buckets": buckets}, indent=2))


main()
