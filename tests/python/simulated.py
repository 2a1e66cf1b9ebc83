"""What the scripts share that use the simulator with boto3: its address is their first argument."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]


def client(service, region="us-east-1", key="123456789012", token=None, **config):
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key="simulated",
        aws_session_token=token,
        config=Config(**config),
    )


def refused(code, call, status=None, **arguments):
    """Makes a call that has to fail with this code, and gives the error's response."""
    try:
        call(**arguments)
    except ClientError as error:
        response = error.response
        assert response["Error"]["Code"] == code, (code, response)
        assert status in (None, response["ResponseMetadata"]["HTTPStatusCode"]), response
        return response
    raise AssertionError(f"{call.__name__}({arguments}) was not refused with {code}")


def said(code, call, **arguments):
    """The same, and gives the error's message."""
    return refused(code, call, **arguments)["Error"].get("Message", "")
