"""Uses the simulator's STS, EC2, SSM and Secrets Manager with boto3, and fails where they aren't AWS's.

    target/venvs/moto/bin/python tests/python/simulator_services.py ENDPOINT
"""

import json

import simulated
from simulated import refused, said


def client(service, region="us-east-1", key="123456789012", token=None):
    return simulated.client(service, region, key, token, retries={"max_attempts": 1, "mode": "standard"})


def sts():
    def identity(**who):
        answer = client("sts", **who).get_caller_identity()
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-taskcat-simulated"] == "true"
        return answer["Account"], answer["Arn"]

    assert identity() == ("123456789012", "arn:aws:iam::123456789012:user/simulated")
    assert identity(key="testing")[0] == "123456789012"
    assert identity(key="210987654321", region="cn-north-1")[1] == "arn:aws-cn:iam::210987654321:user/simulated"
    role = client("sts").assume_role(RoleArn="arn:aws:iam::111122223333:role/Deploy", RoleSessionName="me")
    keys = role["Credentials"]
    assert identity(key=keys["AccessKeyId"], token=keys["SessionToken"]) == (
        "111122223333",
        "arn:aws:sts::111122223333:assumed-role/Deploy/me",
    )
    refused("ValidationError", client("sts").assume_role, RoleArn="arn:aws:iam::1:role/x", RoleSessionName="me")
    refused("InvalidAction", client("sts").get_federation_token, Name="me")


def ec2():
    ec2 = client("ec2")
    zones = ec2.describe_availability_zones(Filters=[{"Name": "state", "Values": ["available"]}])["AvailabilityZones"]
    assert [zone["ZoneName"] for zone in zones] == [f"us-east-1{letter}" for letter in "abcdef"], zones
    assert all(zone["ZoneId"].startswith("use1-az") and zone["State"] == "available" for zone in zones), zones
    zone = client("ec2", "eu-west-1").describe_availability_zones(ZoneNames=["eu-west-1b"])["AvailabilityZones"]
    assert [found["ZoneId"] for found in zone] == ["euw1-az2"], zone
    refused("InvalidParameterValue", ec2.describe_availability_zones, ZoneNames=["us-east-1z"])
    regions = [region["RegionName"] for region in ec2.describe_regions()["Regions"]]
    assert len(regions) > 30 and "us-east-1" in regions and "cn-north-1" not in regions, regions
    china = client("ec2", "cn-north-1").describe_regions()["Regions"]
    assert [region["Endpoint"] for region in china] == [
        "ec2.cn-north-1.amazonaws.com.cn",
        "ec2.cn-northwest-1.amazonaws.com.cn",
    ]
    refused("InvalidAction", ec2.describe_route_tables)


def ssm():
    ssm = client("ssm")
    assert ssm.put_parameter(Name="/x/secret", Value="hush", Type="SecureString")["Version"] == 1
    refused("ParameterAlreadyExists", ssm.put_parameter, Name="/x/secret", Value="hush", Type="SecureString")
    assert ssm.put_parameter(Name="/x/secret", Value="hush!", Overwrite=True)["Version"] == 2
    assert ssm.get_parameter(Name="/x/secret")["Parameter"]["Value"] != "hush!"
    found = ssm.get_parameter(Name="/x/secret", WithDecryption=True)["Parameter"]
    assert (found["Value"], found["Type"], found["Version"]) == ("hush!", "SecureString", 2), found
    assert ssm.get_parameter(Name=found["ARN"], WithDecryption=True)["Parameter"]["Value"] == "hush!"
    refused("ParameterNotFound", client("ssm", "eu-west-1").get_parameter, Name="/x/secret")
    refused("ParameterNotFound", client("ssm", key="210987654321").get_parameter, Name="/x/secret")
    ssm.put_parameter(Name="/x/list", Value="a,b", Type="StringList")
    many = ssm.get_parameters(Names=["/x/list", "/x/none"])
    assert [found["Value"] for found in many["Parameters"]] == ["a,b"] and many["InvalidParameters"] == ["/x/none"]
    paths = ssm.get_paginator("get_parameters_by_path").paginate(Path="/x", PaginationConfig={"PageSize": 1})
    assert [found["Name"] for page in paths for found in page["Parameters"]] == ["/x/list", "/x/secret"]
    ami = ssm.get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
    assert ami["Parameter"]["Value"].startswith("ami-") and len(ami["Parameter"]["Value"]) == 21, ami
    ssm.delete_parameter(Name="/x/list")
    refused("ParameterNotFound", ssm.delete_parameter, Name="/x/list")


def secrets():
    secrets = client("secretsmanager")
    made = secrets.create_secret(Name="x/secret", SecretString="hush", Tags=[{"Key": "a", "Value": "b"}])
    refused("ResourceExistsException", secrets.create_secret, Name="x/secret", SecretString="hush")
    for secret_id in ["x/secret", made["ARN"], made["ARN"][:-7]]:
        assert secrets.get_secret_value(SecretId=secret_id)["SecretString"] == "hush", secret_id
    message = said("ResourceNotFoundException", secrets.get_secret_value, SecretId="x/none")
    assert message == "Secrets Manager can't find the specified secret.", message
    secrets.put_secret_value(SecretId="x/secret", SecretBinary=b"\x00\x01")
    assert secrets.get_secret_value(SecretId="x/secret")["SecretBinary"] == b"\x00\x01"
    before = secrets.get_secret_value(SecretId="x/secret", VersionStage="AWSPREVIOUS")
    assert before["SecretString"] == "hush" and before["VersionId"] == made["VersionId"], before
    assert secrets.describe_secret(SecretId="x/secret")["Tags"] == [{"Key": "a", "Value": "b"}]
    secrets.delete_secret(SecretId="x/secret")
    refused("InvalidRequestException", secrets.get_secret_value, SecretId="x/secret")
    secrets.restore_secret(SecretId="x/secret")
    secrets.delete_secret(SecretId="x/secret", ForceDeleteWithoutRecovery=True)
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="x/secret")


if __name__ == "__main__":
    for part in [sts, ec2, ssm, secrets]:
        part()
    print(json.dumps("passed"))
