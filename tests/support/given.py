"""Puts something on a server before a test, with boto3.

    given.py ENDPOINT bucket NAME REGION [KEY=VALUE...]     with these tags
    given.py ENDPOINT stack NAME REGION [KEY=VALUE...]      of one topic, with these tags
    given.py ENDPOINT object BUCKET KEY TEXT
    given.py ENDPOINT removed BUCKET KEY
    given.py ENDPOINT parameter REGION NAME VALUE
    given.py ENDPOINT secret REGION NAME VALUE
"""

import sys

import boto3
from botocore.config import Config


def client(service, region):
    return boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(s3={"addressing_style": "path"}),
    )


def tagged(tags):
    return [{"Key": key, "Value": value} for key, _, value in (tag.partition("=") for tag in tags)]


def bucket(name, region, *tags):
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    client("s3", region).create_bucket(Bucket=name, **where)
    if tags:
        client("s3", region).put_bucket_tagging(Bucket=name, Tagging={"TagSet": tagged(tags)})


def stack(name, region, *tags):
    cloudformation = client("cloudformation", region)
    template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    cloudformation.create_stack(StackName=name, TemplateBody=template, Tags=tagged(tags))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


def object(bucket, key, text):
    client("s3", "us-east-1").put_object(Bucket=bucket, Key=key, Body=text.encode())


def removed(bucket, key):
    client("s3", "us-east-1").delete_object(Bucket=bucket, Key=key)


def parameter(region, name, value):
    client("ssm", region).put_parameter(Name=name, Value=value, Type="SecureString")


def secret(region, name, value):
    client("secretsmanager", region).create_secret(Name=name, SecretString=value)


if __name__ == "__main__":
    {"bucket": bucket, "stack": stack, "object": object, "removed": removed, "parameter": parameter, "secret": secret}[sys.argv[2]](*sys.argv[3:])
