"""What exists on a server, as its own API tells, and resources of others that look like a run's."""

import hashlib
import threading

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from projects import USERS_BUCKET

ANOTHER_RUN = "0123456789abcdef0123456789abcdef"
TEMPLATE = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'

local = threading.local()


def client(service, endpoint, region):
    # Sessions are not to be shared by threads.
    if not hasattr(local, "session"):
        local.session = boto3.session.Session()
    return local.session.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}),
    )


def take(endpoint, regions):
    """Everything that exists, as a map of descriptions to contents."""
    found = {}
    for region in sorted(set(regions) | {"us-east-1"}):
        cloudformation = client("cloudformation", endpoint, region)
        for page in cloudformation.get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                if stack["StackStatus"] != "DELETE_COMPLETE":
                    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
                    key = f"stack {stack['StackName']} in {region}"
                    found[key] = (stack["StackId"], stack["StackStatus"], tags)
    s3 = client("s3", endpoint, "us-east-1")
    for bucket in s3.list_buckets()["Buckets"]:
        found |= in_bucket(s3, bucket["Name"])
    return found


def in_bucket(s3, name):
    found = {f"bucket {name}": settings(s3, name)}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for item in page.get("Versions", []):
            body = s3.get_object(Bucket=name, Key=item["Key"], VersionId=item["VersionId"])["Body"].read()
            found[f"object {name}/{item['Key']}"] = hashlib.md5(body).hexdigest()
        for item in page.get("DeleteMarkers", []):
            found[f"delete marker {name}/{item['Key']}"] = item["VersionId"]
    for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
        found[f"multipart upload {name}/{upload['Key']}"] = upload["UploadId"]
    return found


def settings(s3, name):
    def answer(call, field):
        try:
            return call(Bucket=name)[field]
        except ClientError as error:
            if error.response["Error"]["Code"].startswith("NoSuch"):
                return None
            raise

    return (
        answer(s3.get_bucket_location, "LocationConstraint"),
        answer(s3.get_bucket_tagging, "TagSet"),
        answer(s3.get_bucket_policy, "Policy"),
    )


def plant(endpoint, project, tagged):
    """Creates resources of others that look like a run's; `tagged` ones bear the `taskcat-id` of another run."""
    region = project.regions[-1]
    s3 = client("s3", endpoint, "us-east-1")
    cloudformation = client("cloudformation", endpoint, region)
    s3.create_bucket(Bucket=f"tcat-{project.name}-aaaaaaaa")
    s3.put_object(Bucket=f"tcat-{project.name}-aaaaaaaa", Key=f"{project.name}/templates/mine.yaml", Body=b"mine")
    cloudformation.create_stack(StackName=f"tCaT-{project.name}-mine-{ANOTHER_RUN[::-1]}", TemplateBody=TEMPLATE)
    s3.create_bucket(Bucket=USERS_BUCKET)
    for key in ["root.txt", "another-project/templates/main.yaml", f"{project.name}-2/templates/main.yaml"]:
        s3.put_object(Bucket=USERS_BUCKET, Key=key, Body=key.encode())
    if tagged:
        bucket = f"tcat-{project.name}-bbbbbbbb"
        s3.create_bucket(Bucket=bucket)
        tags = [{"Key": "taskcat-id", "Value": ANOTHER_RUN}, {"Key": "taskcat-project-name", "Value": tagged}]
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        s3.put_object(Bucket=bucket, Key=f"{project.name}/a", Body=b"another run's")
        s3.create_multipart_upload(Bucket=bucket, Key=f"{project.name}/b")
        cloudformation.create_stack(
            StackName=f"tCaT-{project.name}-topic-{ANOTHER_RUN}", TemplateBody=TEMPLATE, Tags=tags
        )


def settle(endpoint, project):
    """Waits until the planted stacks are created."""
    cloudformation = client("cloudformation", endpoint, project.regions[-1])
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.config.delay = 0.02
    waiter.config.max_attempts = 500
    for stack in cloudformation.describe_stacks()["Stacks"]:
        waiter.wait(StackName=stack["StackName"])
