"""Asks STS who is called with boto3: `identify.py REGION PROFILE MFA-CODE [ENDPOINT]`; empty arguments are not given."""

import sys

import boto3

region, profile, code, *endpoint = sys.argv[1:]
session = boto3.Session(profile_name=profile or None, region_name=region)
if code:
    chain = session._session.get_component("credential_provider")
    chain.get_provider("assume-role")._prompter = lambda prompt: code
client = session.client("sts", endpoint_url=endpoint[0] if endpoint else None)
print(client.get_caller_identity()["Arn"])
