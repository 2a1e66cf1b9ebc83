"""Meets the faults of the scenario in `tests/it/simulator.rs`, with boto3.

    target/venvs/moto/bin/python tests/python/simulator_faults.py ENDPOINT
"""

import json
import time

import simulated
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from simulated import refused, said


def client(service, region="us-east-1", attempts=1, **config):
    return simulated.client(service, region, retries={"total_max_attempts": attempts, "mode": "standard"}, **config)


def throttled():
    # Twice, then never again: boto3 gets through by itself.
    answer = client("sts", attempts=4).get_caller_identity()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2, answer
    answer = client("s3", attempts=4).list_buckets()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1, answer


def denied():
    message = said("UnauthorizedOperation", client("ec2").describe_regions)
    assert "arn:aws:iam::123456789012:user/simulated is not authorized to perform: ec2:DescribeRegions" in message, message
    client("ec2", "eu-west-1").describe_regions()
    assert said("AccessDenied", client("s3").create_bucket, Bucket="forbidden-bucket") == "Not here."
    client("s3").create_bucket(Bucket="allowed-bucket")
    assert said("KMSInvalidStateException", client("secretsmanager").get_secret_value, SecretId="x") == "Why not."


def cut():
    ssm = client("ssm", read_timeout=5)
    try:
        ssm.get_parameter(Name="/cut")
        raise AssertionError("the call was answered")
    except ConnectionClosedError:
        pass
    started = time.monotonic()
    try:
        client("ssm", read_timeout=1).get_parameter(Name="/hang")
        raise AssertionError("the call was answered")
    except ReadTimeoutError:
        assert 0.9 < time.monotonic() - started < 5
    started = time.monotonic()
    refused("ParameterNotFound", ssm.get_parameter, Name="/slow")
    assert time.monotonic() - started > 0.4
    refused("ParameterNotFound", ssm.get_parameter, Name="/other")


def lost_answers():
    s3 = client("s3", read_timeout=5)
    try:
        s3.create_bucket(Bucket="lost-cut")
        raise AssertionError("the call was answered")
    except ConnectionClosedError:
        s3.head_bucket(Bucket="lost-cut")
    refused("InternalError", s3.create_bucket, 500, Bucket="lost-error")
    s3.head_bucket(Bucket="lost-error")
    cloudformation = client("cloudformation", read_timeout=1)
    template = '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}'
    try:
        cloudformation.create_stack(StackName="lost-hang", TemplateBody=template)
        raise AssertionError("the call was answered")
    except ReadTimeoutError:
        assert len(cloudformation.describe_stacks(StackName="lost-hang")["Stacks"]) == 1
    # A call that is only slow has its effect though its client has gone.
    try:
        client("ssm", read_timeout=0.2).put_parameter(Name="/late", Value="v", Type="String")
        raise AssertionError("the call was answered")
    except ReadTimeoutError:
        pass
    ssm = client("ssm", attempts=1)
    refused("ParameterNotFound", ssm.get_parameter, Name="/late")
    deadline = time.monotonic() + 30
    while not ssm.get_parameters(Names=["/late"])["Parameters"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def out_of_sight():
    south = "me-south-1"
    refused("InvalidClientTokenId", client("sts", south).get_caller_identity)
    refused("InvalidClientTokenId", client("cloudformation", south).describe_stacks)
    refused("AuthFailure", client("ec2", south).describe_availability_zones)
    refused("UnrecognizedClientException", client("ssm", south).get_parameter, Name="x")
    refused("InvalidAccessKeyId", client("s3", south).list_buckets)
    regions = client("ec2", "eu-west-1").describe_regions(AllRegions=True)["Regions"]
    assert {found["RegionName"]: found["OptInStatus"] for found in regions}[south] == "not-opted-in"

    s3 = client("s3")
    s3.create_bucket(Bucket="late-bucket")
    refused("404", s3.head_bucket, Bucket="late-bucket")
    refused("NoSuchBucket", s3.put_object, Bucket="late-bucket", Key="k", Body=b"")
    refused("NoSuchBucket", s3.delete_bucket, Bucket="late-bucket")
    refused("NoSuchBucket", s3.get_bucket_tagging, Bucket="late-bucket")
    refused("NoSuchBucket", s3.copy_object, Bucket="lost-cut", Key="k", CopySource="late-bucket/k")
    assert "late-bucket" not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    # Its name is taken all the same.
    s3.create_bucket(Bucket="late-bucket")
    west = client("s3", "eu-west-1")
    again = {"Bucket": "late-west", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    west.create_bucket(**again)
    refused("404", west.head_bucket, Bucket="late-west")
    refused("BucketAlreadyOwnedByYou", west.create_bucket, 409, **again)
    s3.get_waiter("bucket_exists").wait(Bucket="late-bucket", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    assert "late-bucket" in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


if __name__ == "__main__":
    for part in [throttled, denied, cut, lost_answers, out_of_sight]:
        part()
    print(json.dumps("passed"))
