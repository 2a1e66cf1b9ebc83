use super::super::physical_id;
use super::super::tests::{declared, properties};
use super::*;

#[test]
fn attributes_follow_the_form_of_their_service() {
    let check = |kind: &str, json: &str, id: &str, name: &str, expect: &str| {
        let properties = properties(json);
        let found = attribute(&declared(kind, &properties), id, name).unwrap();
        assert_eq!(found.to_json().to_string(), expect, "{kind} {name}");
    };
    let bucket = "AWS::S3::Bucket";
    check(bucket, "{}", "b", "Arn", r#""arn:aws:s3:::b""#);
    check(bucket, "{}", "b", "DomainName", r#""b.s3.amazonaws.com""#);
    check(
        bucket,
        "{}",
        "b",
        "RegionalDomainName",
        r#""b.s3.eu-west-1.amazonaws.com""#,
    );
    check(
        "AWS::IAM::Role",
        r#"{"Path":"/p/"}"#,
        "r",
        "Arn",
        r#""arn:aws:iam::123456789012:role/p/r""#,
    );
    check(
        "AWS::IAM::Role",
        r#"{"Path":"/p/"}"#,
        "r",
        "Path",
        r#""/p/""#,
    );
    check(
        "AWS::EC2::VPC",
        r#"{"CidrBlock":"10.1.0.0/16"}"#,
        "vpc-1",
        "CidrBlock",
        r#""10.1.0.0/16""#,
    );
    check("AWS::EC2::VPC", "{}", "vpc-1", "VpcId", r#""vpc-1""#);
    check("AWS::EC2::VPC", "{}", "vpc-1", "Ipv6CidrBlocks", "[]");
    check(
        "AWS::EC2::SecurityGroup",
        "{}",
        "sg-1",
        "GroupId",
        r#""sg-1""#,
    );
    check(
        "AWS::EC2::Subnet",
        "{}",
        "subnet-1",
        "AvailabilityZone",
        r#""eu-west-1a""#,
    );
    check(
        "AWS::EC2::EIP",
        "{}",
        "198.51.100.7",
        "PublicIp",
        r#""198.51.100.7""#,
    );
    let topic = "AWS::SNS::Topic";
    let arn = "arn:aws:sns:eu-west-1:1:t";
    check(topic, "{}", arn, "TopicArn", &format!("{arn:?}"));
    check(topic, "{}", arn, "TopicName", r#""t""#);
    let queue = "AWS::SQS::Queue";
    let url = "https://sqs.eu-west-1.amazonaws.com/1/q";
    check(
        queue,
        "{}",
        url,
        "Arn",
        r#""arn:aws:sqs:eu-west-1:123456789012:q""#,
    );
    check(queue, "{}", url, "QueueName", r#""q""#);
    let rds = "AWS::RDS::DBInstance";
    check(
        rds,
        r#"{"Engine":"postgres"}"#,
        "db",
        "Endpoint.Port",
        r#""5432""#,
    );
    check(
        rds,
        r#"{"Engine":"mysql","Port":"3307"}"#,
        "db",
        "Endpoint.Port",
        r#""3307""#,
    );
    let balancer = "AWS::ElasticLoadBalancingV2::LoadBalancer";
    let arn = "arn:aws:e:eu-west-1:1:loadbalancer/app/lb/9";
    check(balancer, "{}", arn, "LoadBalancerFullName", r#""app/lb/9""#);
    check(balancer, "{}", arn, "LoadBalancerName", r#""lb""#);
    let function = "AWS::Lambda::Function";
    check(
        function,
        "{}",
        "f",
        "Arn",
        r#""arn:aws:lambda:eu-west-1:123456789012:function:f""#,
    );
    let acl = "AWS::WAFv2::WebACL";
    check(acl, "{}", "a|b-c|REGIONAL", "Id", r#""b-c""#);
    let arn = r#""arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/a/b-c""#;
    check(acl, r#"{"Scope":"REGIONAL"}"#, "a|b-c|REGIONAL", "Arn", arn);
    check(
        "AWS::EC2::LaunchTemplate",
        "{}",
        "lt-1",
        "LatestVersionNumber",
        r#""1""#,
    );
    check(
        "AWS::CloudFormation::WaitCondition",
        "{}",
        "w",
        "Data",
        r#""{}""#,
    );
    check(
        "Custom::Thing",
        "{}",
        "c",
        "Any.Thing",
        r#""simulated-Any.Thing""#,
    );
    check("Acme::Web::Site", "{}", "s", "SiteName", r#""s""#);
}

#[test]
fn unknown_attributes_are_refused() {
    let properties = properties("{}");
    let check = |kind: &str, name: &str, has: bool| {
        let message = format!("Requested attribute {name} does not exist in schema for {kind}");
        let found = attribute(&declared(kind, &properties), "x", name).map(|_| ());
        assert_eq!(found, if has { Ok(()) } else { Err(message) }, "{kind}");
        assert_eq!(has_attribute(kind, name), has, "{kind} {name}");
    };
    check("AWS::SNS::Topic", "Foo", false);
    check("AWS::SNS::Topic", "TopicName", true);
    check("AWS::S3::Bucket", "arn", false);
    check("AWS::IAM::Role", "Path", true);
    check("Custom::Thing", "Foo", true);
    check("Acme::Web::Site", "Foo", true);
}

#[test]
fn attributes_stay_as_they_are_and_fit_each_related_arn() {
    let properties = properties("{}");
    let of = |kind: &str, id: &str, name: &str| {
        attribute(&declared(kind, &properties), id, name)
            .unwrap()
            .as_text()
    };
    let instance = "AWS::EC2::Instance";
    let address = of(instance, "i-1", "PrivateIp").unwrap();
    let host = format!(
        "ip-{}.eu-west-1.compute.internal",
        address.replace('.', "-")
    );
    assert_eq!(of(instance, "i-1", "PrivateDnsName"), Some(host));
    assert_ne!(of(instance, "i-2", "PrivateIp"), Some(address));
    let vpc = |id: &str| of("AWS::EC2::VPC", id, "DefaultSecurityGroup");
    assert_eq!(vpc("vpc-1"), vpc("vpc-1"));
    assert_ne!(vpc("vpc-1"), vpc("vpc-2"));
}

#[test]
fn undocumented_attributes_get_generated_values() {
    let check = |kind: &str, json: &str, name: &str, expect: bool| {
        let properties = properties(json);
        assert_eq!(
            is_made_up_attribute(&declared(kind, &properties), "id", name),
            expect,
            "{kind} {json} {name}"
        );
    };
    check("Custom::Thing", "{}", "Value", true);
    check("AWS::CloudFormation::CustomResource", "{}", "Id", true);
    check("Acme::Web::Site", "{}", "Url", true);
    check("AWS::CloudFormation::WaitCondition", "{}", "Data", true);
    check("AWS::RDS::DBInstance", "{}", "Endpoint.Address", true);
    check("AWS::RDS::DBInstance", "{}", "Endpoint.Port", false);
    check("AWS::EC2::Instance", "{}", "PrivateIp", true);
    check("AWS::EC2::Instance", "{}", "State.Name", false);
    check("AWS::EC2::VPC", "{}", "DefaultSecurityGroup", false);
    check(
        "AWS::EC2::VPC",
        r#"{"CidrBlock":"10.1.0.0/16"}"#,
        "CidrBlock",
        false,
    );
    check("AWS::SNS::Topic", "{}", "TopicArn", false);
    check("AWS::SQS::Queue", "{}", "Arn", false);
    check(
        "AWS::SQS::Queue",
        r#"{"QueueName":"q"}"#,
        "QueueName",
        false,
    );
    check("AWS::S3::Bucket", "{}", "RegionalDomainName", false);
    check(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "{}",
        "DNSName",
        true,
    );
}

/// All placeholders are expanded, and all listed attributes exist.
#[test]
fn listed_attributes_exist_and_have_values() {
    let properties = properties("{}");
    for (kind, name, _) in ATTRIBUTES.iter().filter(|(kind, ..)| !kind.ends_with('*')) {
        assert_eq!(
            resource_type(kind).and_then(|known| known.accepts(name)),
            Some(true),
            "{kind} {name}"
        );
        let declared = declared(kind, &properties);
        let value = attribute(&declared, &physical_id(&declared), name)
            .unwrap()
            .to_json()
            .to_string();
        assert!(
            value == r#""{}""# || !value.contains(['{', '}']),
            "{kind} {name} {value}"
        );
    }
}
