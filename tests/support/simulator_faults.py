"""Meets the faults of the scenario in `tests/it/simulator.rs`, with boto3.

    target/venvs/moto/bin/python tests/support/simulator_faults.py ENDPOINT
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
    s3.get_waiter("bucket_exists").wait(Bucket="late-bucket", WaiterConfig={"Delay": 1, "MaxAttempts": 20})


if __name__ == "__main__":
    for part in [throttled, denied, cut, out_of_sight]:
        part()
    print(json.dumps("passed"))
