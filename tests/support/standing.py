"""Prints as JSON what stands on a server: stacks that are not deleted, buckets, objects.

    target/venvs/moto/bin/python tests/support/standing.py ENDPOINT REGION...

    {"stacks": [{"region", "name", "status", "parent", "parameters", "tags", "outputs"}],
     "buckets": {NAME: {"region", "tags", "policy", "public_access_block", "objects": {KEY: {"md5", "size"}}}}}
"""

import hashlib
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def client(service, region):
    return boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def stacks(region):
    cloudformation = client("cloudformation", region)
    found = []
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            if stack["StackStatus"] == "DELETE_COMPLETE":
                continue
            found.append(
                {
                    "region": region,
                    "name": stack["StackName"],
                    "status": stack["StackStatus"],
                    "parent": stack.get("ParentId"),
                    "parameters": {p["ParameterKey"]: p["ParameterValue"] for p in stack.get("Parameters", [])},
                    "tags": {t["Key"]: t["Value"] for t in stack.get("Tags", [])},
                    "outputs": {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])},
                }
            )
    return found


def answer(call, field, **arguments):
    """What a question about a bucket finds; None where nothing was ever set."""
    try:
        return call(**arguments)[field]
    except ClientError as error:
        if error.response["Error"]["Code"].startswith("NoSuch"):
            return None
        raise


def bucket(s3, name):
    objects = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for item in page.get("Contents", []):
            body = s3.get_object(Bucket=name, Key=item["Key"])["Body"].read()
            objects[item["Key"]] = {"md5": hashlib.md5(body).hexdigest(), "size": len(body)}
    tags = answer(s3.get_bucket_tagging, "TagSet", Bucket=name)
    policy = answer(s3.get_bucket_policy, "Policy", Bucket=name)
    return {
        "region": s3.get_bucket_location(Bucket=name)["LocationConstraint"] or "us-east-1",
        "tags": {tag["Key"]: tag["Value"] for tag in tags or []},
        "policy": json.loads(policy) if policy else None,
        "public_access_block": answer(s3.get_public_access_block, "PublicAccessBlockConfiguration", Bucket=name),
        "objects": objects,
    }


if __name__ == "__main__":
    s3 = client("s3", "us-east-1")
    standing = {
        "stacks": [stack for region in sys.argv[2:] for stack in stacks(region)],
        "buckets": {b["Name"]: bucket(s3, b["Name"]) for b in s3.list_buckets()["Buckets"]},
    }
    json.dump(standing, sys.stdout, indent=1)
