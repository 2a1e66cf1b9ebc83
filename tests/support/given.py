"""Puts something on a server before a test, with boto3.

    given.py ENDPOINT bucket NAME REGION [KEY=VALUE...]     with these tags
    given.py ENDPOINT stack NAME REGION [KEY=VALUE...]      of one topic, with these tags
    given.py ENDPOINT foreign-bucket NAME REGION ACCOUNT
    given.py ENDPOINT bucket-tag BUCKET KEY VALUE
    given.py ENDPOINT object BUCKET KEY TEXT
    given.py ENDPOINT removed BUCKET KEY
    given.py ENDPOINT versioning BUCKET Enabled|Suspended
    given.py ENDPOINT parameter REGION NAME VALUE
    given.py ENDPOINT secret REGION NAME VALUE
    given.py ENDPOINT template-stack REGION NAME TEMPLATE [KEY=VALUE...]
    given.py ENDPOINT change-set REGION STACK NAME TEMPLATE [KEY=VALUE...]
    given.py ENDPOINT no-change-set REGION STACK NAME
    given.py ENDPOINT change-sets REGION STACK
    given.py ENDPOINT protected REGION STACK
"""

import json
import sys

import boto3
from botocore.config import Config


def client(service, region, key="testing"):
    return boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name=region,
        aws_access_key_id=key,
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


def foreign_bucket(name, region, account):
    client("s3", region, account).create_bucket(Bucket=name)


def bucket_tag(bucket, *tag):
    client("s3", "us-east-1").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tagged(["=".join(tag)])})


def object(bucket, key, text):
    client("s3", "us-east-1").put_object(Bucket=bucket, Key=key, Body=text.encode())


def removed(bucket, key):
    client("s3", "us-east-1").delete_object(Bucket=bucket, Key=key)


def versioning(bucket, status):
    client("s3", "us-east-1").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def parameter(region, name, value):
    client("ssm", region).put_parameter(Name=name, Value=value, Type="SecureString")


def secret(region, name, value):
    client("secretsmanager", region).create_secret(Name=name, SecretString=value)


def template_stack(region, name, template, *given):
    cloudformation = client("cloudformation", region)
    cloudformation.create_stack(StackName=name, TemplateBody=template, Tags=tagged(given))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})


def change_set(region, stack, name, template, *given):
    client("cloudformation", region).create_change_set(
        StackName=stack, ChangeSetName=name, ChangeSetType="CREATE", TemplateBody=template, Tags=tagged(given)
    )


def no_change_set(region, stack, name):
    client("cloudformation", region).delete_change_set(StackName=stack, ChangeSetName=name)


def change_sets(region, stack):
    summaries = client("cloudformation", region).list_change_sets(StackName=stack)["Summaries"]
    json.dump([summary["ChangeSetName"] for summary in summaries], sys.stdout)


def protected(region, stack):
    client("cloudformation", region).update_termination_protection(StackName=stack, EnableTerminationProtection=True)


if __name__ == "__main__":
    globals()[sys.argv[2].replace("-", "_")](*sys.argv[3:])
