"""The actions of a pipeline, each done with the rights of the role that does it on AWS: sources, builds, the function,
change sets. `walk_iam.py` denies what the role may not.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html
"""

import io
import json
import os
import pathlib
import subprocess
import sys
import time
import uuid
import zipfile

import boto3
import yaml
from botocore.exceptions import ClientError
from walk_function import Function
from walk_iam import Denied
from walk_pipeline import Artifact, Stop

HERE = pathlib.Path(__file__).parent
# Of a zipped artifact that CloudFormation reads: https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
LARGEST_ARTIFACT = 256 * 1024 * 1024


class Actions:
    def __init__(self, template, gate, policies, region, work, repositories, token, function):
        self.template, self.gate, self.policies, self.region = template, gate, policies, region
        self.work, self.repositories = pathlib.Path(work), pathlib.Path(repositories)
        self.token, self.function = token, function
        self.folders = 0
        self.key = template.fn_getatt("Key.Arn")

    def act(self, execution, action, configuration, inputs):
        do = {
            "CodeStarSourceConnection": self.clone,
            "S3": self.unzip,
            "CodeBuild": self.build,
            "Lambda": self.invoke,
            "CloudFormation": self.deploy,
        }[action["ActionTypeId"]["Provider"]]
        try:
            self.policies.assume("PipelineRole", "codepipeline")
            said, variables, artifacts = do(action, configuration, inputs)
            for name in artifacts:
                self.put_artifact("PipelineRole" if do in (self.clone, self.unzip) else self.role_of(configuration), name)
        except (Denied, ClientError) as error:
            raise Stop(str(error)) from error
        return said, variables, artifacts

    def approval(self, configuration):
        """Asks for an approval: an encrypted topic wants its key, too
        (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html)."""
        self.policies.require("PipelineRole", "sns:Publish", configuration["NotificationArn"])
        for action in ["kms:Decrypt", "kms:GenerateDataKey"]:
            self.policies.require("PipelineRole", action, self.key)

    # What every action needs.

    def client(self, service, role):
        return boto3.client(
            service,
            endpoint_url=self.gate.endpoint,
            region_name=self.region,
            aws_access_key_id=role,
            aws_secret_access_key="testing",
        )

    def folder(self, name):
        self.folders += 1
        path = self.work / f"{self.folders}-{name}"
        path.mkdir(parents=True)
        return path

    def role_of(self, configuration):
        """The logical id of a build's role."""
        project = self.project(configuration)
        return self.template.logical_id("AWS::IAM::Role", project["ServiceRole"].rpartition("/")[2])

    def project(self, configuration):
        return self.template.properties(self.template.logical_id("AWS::CodeBuild::Project", configuration["ProjectName"]))

    def put_artifact(self, role, name):
        self.policies.require(role, "s3:PutObject", f"{self.template.fn_getatt('ArtifactBucket.Arn')}/{name}.zip")
        self.policies.require(role, "kms:GenerateDataKey", self.key)

    def get_artifact(self, role, name):
        key = f"{self.template.fn_getatt('ArtifactBucket.Arn')}/{name}.zip"
        self.policies.require(role, "s3:GetObject", key)
        self.policies.require(role, "s3:GetObjectVersion", key)
        self.policies.require(role, "kms:Decrypt", self.key)

    def use_connection(self, role, repository):
        """A role may use the connection for the pipeline's repositories alone, under both names of the service."""
        connection = self.template.names["ConnectionArn"]
        own = connection.split(":")[2]
        for service in ["codeconnections", "codestar-connections"]:
            action, key = f"{service}:UseConnection", f"{service}:FullRepositoryId"
            assert not self.policies.allows(role, action, connection, {key: "somebody/else"}), (role, action)
        context = {f"{own}:FullRepositoryId": repository}
        self.policies.require(role, f"{own}:UseConnection", connection, **context)

    def write_log(self, role, logs):
        for action in ["logs:CreateLogStream", "logs:PutLogEvents"]:
            self.policies.require(role, action, self.template.fn_getatt(f"{logs}.Arn").removesuffix("*") + "log-stream:1")

    # Sources.

    def clone(self, action, configuration, _):
        assert configuration["OutputArtifactFormat"] == "CODEBUILD_CLONE_REF", configuration
        repository, branch = configuration["FullRepositoryId"], configuration["BranchName"]
        self.use_connection("PipelineRole", repository)
        path = self.folder("repository")
        git(path.parent, "clone", "--quiet", "--branch", branch, str(self.repositories / f"{repository}.git"), str(path))
        commit = git(path, "rev-parse", "HEAD")
        variables = {"CommitId": commit, "BranchName": branch, "FullRepositoryName": repository}
        return commit, variables, {action["OutputArtifacts"][0]["Name"]: Artifact(path, is_clone=True)}

    def unzip(self, action, configuration, _):
        path = self.folder("configuration")
        s3 = self.client("s3", "PipelineRole")
        assert s3.get_bucket_versioning(Bucket=configuration["S3Bucket"])["Status"] == "Enabled"
        found = s3.get_object(Bucket=configuration["S3Bucket"], Key=configuration["S3ObjectKey"])
        found = s3.get_object(
            Bucket=configuration["S3Bucket"], Key=configuration["S3ObjectKey"], VersionId=found["VersionId"]
        )
        zipfile.ZipFile(io.BytesIO(found["Body"].read())).extractall(path)
        variables = {"VersionId": found["VersionId"], "ETag": found["ETag"]}
        return found["ETag"], variables, {action["OutputArtifacts"][0]["Name"]: Artifact(path)}

    # Builds.

    def build(self, action, configuration, inputs):
        project = self.project(configuration)
        role = self.role_of(configuration)
        arn = f"arn:{self.template.arns['Partition']}:codebuild:{self.region}:{self.template.arns['AccountId']}"
        for needed in ["codebuild:StartBuild", "codebuild:BatchGetBuilds"]:
            self.policies.require("PipelineRole", needed, f"{arn}:project/{configuration['ProjectName']}")
        self.policies.assume(role, "codebuild")
        logs = self.template.logical_id("AWS::Logs::LogGroup", project["LogsConfig"]["CloudWatchLogs"]["GroupName"])
        self.write_log(role, logs)
        path = self.folder(action["Name"].lower())
        bucket, key = project["Source"]["BuildSpec"].split(":::")[1].split("/", 1)
        buildspec = path / "buildspec.yml"
        self.client("s3", role).download_file(bucket, key, str(buildspec))
        spec = yaml.safe_load(buildspec.read_text())
        environment = self.environment(action, configuration, project, role, inputs, path)
        if spec.get("env", {}).get("git-credential-helper", False):
            # Repositories are files here, which git may read where it would have the connection's credentials.
            environment["GIT_CONFIG_VALUE_0"] = "always"
        output = path / "output"
        ended = subprocess.run(
            [sys.executable, str(HERE / "buildspec.py"), str(buildspec), str(path / "source"), str(output)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        (path / "log.txt").write_text(ended.stdout)
        for report in spec.get("reports", {}):
            for needed in ["codebuild:CreateReport", "codebuild:UpdateReport", "codebuild:BatchPutTestCases"]:
                self.policies.require(role, needed, f"{arn}:report-group/{configuration['ProjectName']}-{report}")
        if ended.returncode != 0:
            raise Stop(f"build failed, {path / 'log.txt'}:\n" + "\n".join(ended.stdout.splitlines()[-8:]))
        outputs = [it["Name"] for it in action.get("OutputArtifacts", [])]
        assert len(outputs) < 2, "of several artifacts each is in the buildspec's secondary-artifacts"
        exported = (output / "exported").read_text().split("\0")[:-1]
        variables = dict(zip(exported[::2], exported[1::2]))
        return "built", variables, {name: self.packed(output / "artifacts") for name in outputs}

    def packed(self, folder):
        """An artifact as it comes out of its zip file: without symbolic links."""
        for path in folder.rglob("*"):
            assert not path.is_symlink(), path
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < LARGEST_ARTIFACT
        return Artifact(folder)

    def environment(self, action, configuration, project, role, inputs, path):
        """The build's environment; its sources are put where they are looked for."""
        primary = configuration.get("PrimarySource", next(iter(inputs)))
        environment = {
            **os.environ,
            "HOME": str(self.folder("home")),
            "AWS_ENDPOINT_URL": self.gate.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": role,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "protocol.file.allow",
            "GIT_CONFIG_VALUE_0": "never",
            "CODEBUILD_BUILD_ID": f"{configuration['ProjectName']}:{uuid.uuid4()}",
            "CODEBUILD_SRC_DIR": str(path / "source"),
        }
        for name, artifact in inputs.items():
            self.get_artifact(role, name)
            if artifact.is_clone:
                self.use_connection(role, self.template.names["Repository"])
            target = path / ("source" if name == primary else f"source-{name}")
            subprocess.run(["cp", "-a", str(artifact.folder), str(target)], check=True)
            if name != primary:
                environment[f"CODEBUILD_SRC_DIR_{name}"] = str(target)
        variables = [{key.lower(): it[key] for key in it} for it in project["Environment"].get("EnvironmentVariables", [])]
        for variable in variables + json.loads(configuration.get("EnvironmentVariables", "[]")):
            value = variable["value"]
            if variable.get("type") == "SECRETS_MANAGER":
                value = self.client("secretsmanager", role).get_secret_value(SecretId=value)["SecretString"]
            environment[variable["name"]] = str(value)
        return environment

    # The function.

    def invoke(self, _, configuration, inputs):
        name = configuration["FunctionName"]
        logical_id = self.template.logical_id("AWS::Lambda::Function", name)
        role = self.template.logical_id(
            "AWS::IAM::Role", self.template.properties(logical_id)["Role"].rpartition("/")[2]
        )
        self.policies.require("PipelineRole", "lambda:InvokeFunction", self.template.fn_getatt(f"{logical_id}.Arn"))
        self.policies.assume(role, "lambda")
        self.write_log(role, "MergeLogs")
        job = {
            "id": str(uuid.uuid4()),
            "accountId": self.template.arns["AccountId"],
            "data": {
                "actionConfiguration": {"configuration": configuration},
                "inputArtifacts": [{"name": it, "revision": None} for it in inputs],
                "outputArtifacts": [],
            },
        }
        with Function(self.function, self.repositories, self.token, self.gate.endpoint, self.region, role) as function:
            # GitHub is elsewhere here.
            parameters = json.loads(configuration["UserParameters"])
            assert parameters["apiUrl"] == self.template.names["GitHubApiUrl"], parameters
            configuration["UserParameters"] = json.dumps({**parameters, "apiUrl": function.github})
            told = function.told({"CodePipeline.job": job})
            while "continuationToken" in told:
                # A job that isn't done comes back with its token.
                job["id"], job["data"]["continuationToken"] = str(uuid.uuid4()), told["continuationToken"]
                told = function.told({"CodePipeline.job": job})
        self.policies.require(role, f"codepipeline:{told['action']}")
        if told["action"] != "PutJobSuccessResult":
            raise Stop(told["failureDetails"]["message"])
        return told["executionDetails"]["summary"], told["outputVariables"], {}

    # CloudFormation.

    def deploy(self, _, configuration, inputs):
        cloudformation = self.client("cloudformation", "PipelineRole")
        stack, name = configuration["StackName"], configuration["ChangeSetName"]
        for artifact in inputs:
            self.get_artifact("PipelineRole", artifact)
        if configuration["ActionMode"] == "CHANGE_SET_EXECUTE":
            return self.execute(cloudformation, stack, name), {}, {}
        assert configuration["ActionMode"] == "CHANGE_SET_REPLACE", configuration
        given = {}
        if "TemplateConfiguration" in configuration:
            given = json.loads(read(configuration["TemplateConfiguration"], inputs))
        parameters = {**given.get("Parameters", {}), **json.loads(configuration.get("ParameterOverrides", "{}"))}
        status = stack_status(cloudformation, stack)
        if status is not None:
            # The new change set replaces one of that name, executed or not.
            cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
        self.policies.assume("ProductionRole", "cloudformation")
        cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="CREATE" if status in (None, "REVIEW_IN_PROGRESS") else "UPDATE",
            TemplateBody=read(configuration["TemplatePath"], inputs),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in given.get("Tags", {}).items()],
            Capabilities=configuration["Capabilities"].split(","),
            RoleARN=configuration["RoleArn"],
        )
        while True:
            found = cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)
            if found["Status"] not in ["CREATE_PENDING", "CREATE_IN_PROGRESS"]:
                break
            time.sleep(0.1)
        if found["Status"] != "CREATE_COMPLETE":
            raise Stop(found.get("StatusReason", found["Status"]))
        changes = [it["ResourceChange"] for it in found["Changes"]]
        return ", ".join(f"{it['Action']} {it['LogicalResourceId']}" for it in changes), {}, {}

    def execute(self, cloudformation, stack, name):
        self.policies.assume("ProductionRole", "cloudformation")
        found = cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)
        if found["Status"] == "FAILED" and "didn't contain changes" in found.get("StatusReason", ""):
            return "no changes"
        self.read_templates(stack, name)
        cloudformation.execute_change_set(StackName=stack, ChangeSetName=name)
        stack_id = found["StackId"]
        while (status := stack_status(cloudformation, stack_id)).endswith("_IN_PROGRESS"):
            time.sleep(0.1)
        if status not in ["CREATE_COMPLETE", "UPDATE_COMPLETE"]:
            # Which resource failed first is told where the role may read the events.
            events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
            failed = [it for it in events if it["ResourceStatus"].endswith("_FAILED")]
            raise Stop(f"{status}: {failed[-1].get('ResourceStatusReason') if failed else ''}")
        return status


    def read_templates(self, stack, change_set):
        """What CloudFormation does with the rights of the production stack's role beside creating resources: it transforms
        the template, and reads those of nested stacks
        (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html)."""
        cloudformation = self.gate.cloudformation(self.region)
        named = {"StackName": stack, "ChangeSetName": change_set}
        template = cloudformation.get_template(**named, TemplateStage="Original")["TemplateBody"]
        body = template if isinstance(template, str) else json.dumps(template)
        partition = self.template.arns["Partition"]
        for name in self.gate.transforms({"TemplateBody": body}):
            transform = f"arn:{partition}:cloudformation:{self.region}:aws:transform/{name}"
            self.policies.require("ProductionRole", "cloudformation:CreateChangeSet", transform)
        found = cloudformation.describe_change_set(**named, IncludePropertyValues=True)
        for change in (it["ResourceChange"] for it in found["Changes"]):
            if change["ResourceType"] != "AWS::CloudFormation::Stack" or "AfterContext" not in change:
                continue
            bucket, key = self.gate.template_object(json.loads(change["AfterContext"])["Properties"])
            self.policies.require("ProductionRole", "s3:GetObject", f"arn:{partition}:s3:::{bucket}/{key}")
            self.policies.require("ProductionRole", "kms:Decrypt", self.gate.kms[bucket])


def stack_status(cloudformation, stack):
    try:
        return cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise


def read(place, inputs):
    artifact, path = place.split("::", 1)
    return (inputs[artifact].folder / path).read_text()


def git(folder, *arguments):
    ended = subprocess.run(["git", *arguments], cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return ended.stdout.strip()
