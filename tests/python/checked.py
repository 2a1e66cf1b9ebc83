"""Puts into moto what the template of `tests/it/checking.rs` needs; prints the IDs by those that the template has."""

import json
import sys

import boto3

session = boto3.Session("testing", "testing", region_name="us-east-1")


def client(service):
    return session.client(service, endpoint_url=sys.argv[1])


ec2 = client("ec2")
ec2.create_key_pair(KeyName="ops")
vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
group = ec2.create_security_group(VpcId=vpc, GroupName="g", Description="d")["GroupId"]
image = ec2.describe_images()["Images"][0]["ImageId"]
instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
zone = client("route53").create_hosted_zone(Name="example.com", CallerReference="c")["HostedZone"]["Id"]
client("ssm").put_parameter(Name="/size", Value="large", Type="String")
client("ssm").put_parameter(Name="/text", Value="words", Type="String")
client("secretsmanager").create_secret(Name="db", SecretString=json.dumps({"u": "ada"}))
client("s3").create_bucket(Bucket="theirs")
client("s3").put_object(Bucket="theirs", Key="a/b.yaml", Body=b"Resources: {}")
exporting = {
    "Resources": {"T": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {"N": {"Value": "net", "Export": {"Name": "net-name"}}},
}
client("cloudformation").create_stack(StackName="net", TemplateBody=json.dumps(exporting))
print(
    json.dumps(
        {
            "vpc-0a1": vpc,
            "subnet-0a1": subnet,
            "sg-0a1": group,
            "i-0a1": instance,
            "vol-0a1": volume,
            "ami-0123456789abcdef0": image,
            "Z0123456789ABCDEFGHIJ": zone.split("/")[-1],
        }
    )
)
