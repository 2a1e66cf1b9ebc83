#!/usr/bin/env python3
"""Deploys with the clients that others wrote to `taskcat simulator`, and looks at what came of it.

    tests/clients/run.py [aws] [cdk] [sam] [sceptre]        without names: all of them

`tests/setup.sh` installs them: from PyPI by the groups of `tests/python/pyproject.toml` (`pipeline` has the AWS CLI, `cdk`
has Node.js), from npm by the lock file beside this program. They reach nothing but the simulator: every other host is behind a proxy that doesn't exist.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENVS = Path(os.environ.get("CLIENTS", ROOT / "target/venvs"))
TASKCAT = Path(os.environ.get("TASKCAT", ROOT / "target/debug/taskcat"))
NOWHERE = "http://127.0.0.1:9"

FIRST = {
    "Parameters": {"Title": {"Type": "String", "Default": "one"}},
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Title"}}}},
    "Outputs": {"Arn": {"Value": {"Ref": "Topic"}}},
}
SECOND = {**FIRST, "Resources": {**FIRST["Resources"], "Queue": {"Type": "AWS::SQS::Queue"}}}


class Simulator:
    """One for each client, so that they don't see each other's stacks."""

    def __enter__(self):
        command = [str(TASKCAT), "simulator", "--port", "0", "--speed", "50"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lines = [self.process.stdout.readline() for _ in range(5)]
        exported = dict(re.findall(r"export (\w+)=(.*)", "".join(lines)))
        self.endpoint = exported["AWS_ENDPOINT_URL"]
        self.environment = {
            **exported,
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "SAM_CLI_TELEMETRY": "0",
            "CI": "true",
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "http_proxy": NOWHERE,
            "https_proxy": NOWHERE,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def run(self, folder, command, fails=False):
        """Runs a client in a folder that is its home as well, and returns what it printed."""
        environment = {**self.environment, "HOME": str(folder)}
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        if (done.returncode != 0) != fails:
            raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout


def says(output, *texts):
    for text in texts:
        assert text in output, f"{text!r} is not in:\n{output}"


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


def aws(simulator, folder):
    """`deploy`, `package`, change sets by hand, waiters, drift, events, and what other services tell."""
    program = VENVS / "pipeline/bin/aws"

    def run(*command, fails=False):
        return simulator.run(folder, [program, *command], fails)

    def cloudformation(*command, fails=False):
        return run("cloudformation", *command, fails=fails)

    first, second = write(folder / "first.json", FIRST), write(folder / "second.json", SECOND)
    deploy = ["deploy", "--stack-name", "web", "--template-file"]
    says(cloudformation(*deploy, first), "Successfully created/updated stack - web")
    says(cloudformation(*deploy, first, "--no-fail-on-empty-changeset"), "No changes to deploy. Stack web is up to date")
    says(cloudformation(*deploy, second, "--parameter-overrides", "Title=two"), "Successfully created/updated stack - web")
    says(cloudformation("describe-stack-events", "--stack-name", "web"), "UPDATE_COMPLETE", "OperationId")
    says(cloudformation("describe-events", "--stack-name", "web"), '"OperationType": "UPDATE_STACK"')
    change_set = ["--stack-name", "web", "--change-set-name", "by-hand"]
    cloudformation("create-change-set", *change_set, "--template-body", f"file://{first}")
    cloudformation("wait", "change-set-create-complete", *change_set)
    says(cloudformation("describe-change-set", *change_set, "--include-property-values"), '"Action": "Remove"', "BeforeContext")
    cloudformation("execute-change-set", *change_set)
    cloudformation("wait", "stack-update-complete", "--stack-name", "web")
    detected = json.loads(cloudformation("detect-stack-drift", "--stack-name", "web"))["StackDriftDetectionId"]
    says(cloudformation("describe-stack-drift-detection-status", "--stack-drift-detection-id", detected), "IN_SYNC")
    run("s3", "mb", "s3://clients-bucket")
    nested = {"Resources": {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "first.json"}}}}
    write(folder / "nested.json", nested)
    packaged = folder / "packaged.json"
    cloudformation(
        "package", "--template-file", folder / "nested.json", "--s3-bucket", "clients-bucket", "--output-template-file", packaged,
        "--use-json",
    )
    says(cloudformation("deploy", "--stack-name", "parent", "--template-file", packaged), "Successfully created")
    run("s3", "sync", folder, "s3://clients-bucket/all", "--exclude", "*", "--include", "*.json")
    says(run("s3", "ls", "s3://clients-bucket/all/"), "first.json")
    run("ssm", "put-parameter", "--name", "/clients/a", "--value", "x", "--type", "String")
    says(run("ssm", "describe-parameters"), "/clients/a")
    run("secretsmanager", "create-secret", "--name", "clients", "--secret-string", "x")
    says(run("secretsmanager", "list-secrets"), '"Name": "clients"')
    says(run("ecr", "describe-repositories", fails=True), "not available in the simulator")
    for stack in ("web", "parent"):
        cloudformation("delete-stack", "--stack-name", stack)
        cloudformation("wait", "stack-delete-complete", "--stack-name", stack)


def cdk(simulator, folder):
    """The default way: `bootstrap`, then `deploy` by change set, `diff`, `destroy`."""
    node, program = VENVS / "cdk/bin/node", VENVS / "cdk/node_modules/aws-cdk/bin/cdk"
    account, region = simulator.environment["AWS_ACCESS_KEY_ID"], simulator.environment["AWS_REGION"]
    app = folder / "app"

    def assembly(template):
        shutil.rmtree(app, ignore_errors=True)
        write(app / "Web.template.json", template)
        properties = {"templateFile": "Web.template.json", "validateOnSynth": False}
        artifact = {"type": "aws:cloudformation:stack", "environment": f"aws://{account}/{region}", "properties": properties}
        write(app / "manifest.json", {"version": "36.0.0", "artifacts": {"Web": {**artifact, "displayName": "Web"}}})

    def run(*command, fails=False):
        return simulator.run(folder, [node, program, "--app", app, "--no-notices", "--no-version-reporting", *command], fails)

    assembly(FIRST)
    says(run("bootstrap", f"aws://{account}/{region}"), "bootstrapped")
    says(run("deploy", "Web", "--require-approval", "never"), "Web.Arn = arn:aws:sns:")
    says(run("deploy", "Web", "--require-approval", "never"), "no changes")
    assembly(SECOND)
    says(run("diff", "Web"), "AWS::SQS::Queue")
    says(run("deploy", "Web", "--require-approval", "never", "--method", "change-set"), "Web.Arn = arn:aws:sns:")
    says(run("destroy", "Web", "--force"), "destroyed")


def sam(simulator, folder):
    """`deploy` with a bucket of its own."""
    program = VENVS / "sam/bin/sam"
    first, second = write(folder / "first.json", FIRST), write(folder / "second.json", SECOND)

    def deploy(template, *more, fails=False):
        command = [program, "deploy", "--template-file", template, "--stack-name", "sam-web", "--resolve-s3", *more]
        return simulator.run(folder, command, fails)

    says(deploy(first), "Successfully created/updated stack - sam-web")
    says(deploy(second, "--parameter-overrides", "Title=two"), "Successfully created/updated stack - sam-web", "+ Add")
    says(deploy(second, "--parameter-overrides", "Title=two", "--no-fail-on-empty-changeset"), "No changes to deploy")
    says(simulator.run(folder, [program, "delete", "--stack-name", "sam-web", "--no-prompts"]), "Deleted successfully")


def sceptre(simulator, folder):
    """Stacks of a project, with a policy and drift."""
    program = VENVS / "sceptre/bin/sceptre"
    write(folder / "config/config.yaml", "project_code: clients\nregion: us-east-1\n")
    write(folder / "config/dev/web.yaml", "template: {path: web.json}\nparameters: {Title: one}\n")
    template = write(folder / "templates/web.json", FIRST)

    def run(*command, fails=False):
        return simulator.run(folder, [program, "--no-colour", *command], fails)

    says(run("create", "-y", "dev/web.yaml"), "CREATE_COMPLETE")
    write(template, SECOND)
    run("create", "-y", "dev/web.yaml", "by-hand")
    says(run("describe", "change-set", "dev/web.yaml", "by-hand"), "Queue")
    run("execute", "-y", "dev/web.yaml", "by-hand")
    allowed = {"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}
    run("set-policy", "dev/web.yaml", write(folder / "policy.json", allowed))
    says(run("describe", "policy", "dev/web.yaml"), "Update:*")
    says(run("drift", "detect", "dev/web.yaml"), "IN_SYNC")
    says(run("estimate-cost", "dev/web.yaml"), "https://")
    says(run("launch", "-y", "dev"), "dev/web")
    says(run("delete", "-y", "dev/web.yaml"), "delete")


CLIENTS = {"aws": aws, "cdk": cdk, "sam": sam, "sceptre": sceptre}


def try_client(name):
    """Returns why a client failed, none if it didn't."""
    with Simulator() as simulator, tempfile.TemporaryDirectory() as folder:
        try:
            CLIENTS[name](simulator, Path(folder))
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            return error


def main(names):
    # At once, since their time goes by in waiters that ask every half minute.
    names = names or list(CLIENTS)
    with ThreadPoolExecutor() as pool:
        failures = dict(zip(names, pool.map(try_client, names)))
    for name, failure in failures.items():
        print(f"{name}: failed: {failure}" if failure else f"{name}: passed", file=sys.stderr if failure else sys.stdout)
    sys.exit(1 if any(failures.values()) else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
