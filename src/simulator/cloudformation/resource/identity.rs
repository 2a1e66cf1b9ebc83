//! Physical IDs, which are what `Ref` gives, and the names in them.
//!
//! The tables say what the user guide says of each type under "Return values"; where it says nothing of a form, they
//! follow what stacks show. Types that aren't listed follow the catalogue's primary identifier, which is what `Ref`
//! gives for most types.

use super::pattern::{LOWER, Source, UPPER, Words, is_documented};
use super::{Facts, arn};
use crate::catalog::{ResourceType, resource_type};
use crate::properties::is_true;
use crate::template::{Value, is_custom_resource};

/// The property that holds a type's name, and how long the name may be. Types whose name is their primary identifier
/// are here only for their limit.
const NAMES: &[(&str, &str, usize)] = &[
    ("AWS::AutoScaling::AutoScalingGroup", "AutoScalingGroupName", 255),
    ("AWS::Batch::ComputeEnvironment", "ComputeEnvironmentName", 128),
    ("AWS::Batch::JobQueue", "JobQueueName", 128),
    ("AWS::CodeBuild::Project", "Name", 150),
    ("AWS::CodeCommit::Repository", "RepositoryName", 100),
    ("AWS::DocDB::DBCluster", "DBClusterIdentifier", 63),
    ("AWS::DocDB::DBInstance", "DBInstanceIdentifier", 63),
    ("AWS::ECS::Cluster", "ClusterName", 255),
    ("AWS::ECS::Service", "ServiceName", 255),
    ("AWS::EKS::Cluster", "Name", 100),
    ("AWS::ElastiCache::CacheCluster", "ClusterName", 40),
    ("AWS::ElastiCache::ReplicationGroup", "ReplicationGroupId", 40),
    ("AWS::ElastiCache::SubnetGroup", "CacheSubnetGroupName", 255),
    ("AWS::ElasticLoadBalancing::LoadBalancer", "LoadBalancerName", 32),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Name", 32),
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "Name", 32),
    ("AWS::Elasticsearch::Domain", "DomainName", 28),
    ("AWS::Events::EventBus", "Name", 256),
    ("AWS::Events::Rule", "Name", 64),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName", 128),
    ("AWS::IAM::Role", "RoleName", 64),
    ("AWS::IAM::SAMLProvider", "Name", 128),
    ("AWS::IAM::User", "UserName", 64),
    ("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName", 64),
    ("AWS::Lambda::Function", "FunctionName", 64),
    ("AWS::Logs::LogGroup", "LogGroupName", 512),
    ("AWS::MSK::Cluster", "ClusterName", 64),
    ("AWS::OpenSearchService::Domain", "DomainName", 28),
    ("AWS::RDS::DBCluster", "DBClusterIdentifier", 63),
    ("AWS::RDS::DBInstance", "DBInstanceIdentifier", 63),
    ("AWS::Redshift::Cluster", "ClusterIdentifier", 63),
    ("AWS::S3::Bucket", "BucketName", 63),
    ("AWS::SNS::Topic", "TopicName", 256),
    ("AWS::SQS::Queue", "QueueName", 80),
    ("AWS::SSM::Parameter", "Name", 1011),
    ("AWS::SageMaker::NotebookInstance", "NotebookInstanceName", 63),
    ("AWS::SecretsManager::Secret", "Name", 512),
    ("AWS::StepFunctions::Activity", "Name", 80),
    ("AWS::StepFunctions::StateMachine", "StateMachineName", 80),
];

/// Names of types that put them into an ID but let them be had twice, within another resource or under another ID.
const NOT_ALONE: &[(&str, &str)] = &[
    ("AWS::CodeDeploy::DeploymentGroup", "DeploymentGroupName"),
    ("AWS::EC2::SecurityGroup", "GroupName"),
    ("AWS::ECS::TaskDefinition", "Family"),
    ("AWS::EKS::Addon", "AddonName"),
    ("AWS::EKS::FargateProfile", "FargateProfileName"),
    ("AWS::EKS::Nodegroup", "NodegroupName"),
    ("AWS::Lambda::LayerVersion", "LayerName"),
    ("AWS::Logs::LogStream", "LogStreamName"),
    ("AWS::WAFv2::IPSet", "Name"),
    ("AWS::WAFv2::RegexPatternSet", "Name"),
    ("AWS::WAFv2::RuleGroup", "Name"),
    ("AWS::WAFv2::WebACL", "Name"),
];

/// How long a name is made where no limit is listed.
const DEFAULT_LIMIT: usize = 128;

/// Services that take names in lower case only.
const LOWER_CASE: &[&str] = &[
    "AWS::S3::",
    "AWS::RDS::",
    "AWS::DocDB::",
    "AWS::Neptune::",
    "AWS::ElastiCache::",
    "AWS::Redshift::",
    "AWS::OpenSearchService::",
    "AWS::Elasticsearch::",
    "AWS::ECR::",
];

/// Physical IDs; see `pattern`. `{name}` is the name that the template gives, or a new one.
const IDS: &[(&str, &str)] = &[
    ("AWS::AmazonMQ::Broker", "b-{uuid}"),
    ("AWS::AmazonMQ::Configuration", "c-{uuid}"),
    ("AWS::ApiGateway::Authorizer", "{lower6}"),
    ("AWS::ApiGateway::Deployment", "{lower6}"),
    ("AWS::ApiGateway::Resource", "{lower6}"),
    ("AWS::ApiGateway::Stage", "{StageName}"),
    ("AWS::ApiGatewayV2::ApiMapping", "{lower6}"),
    ("AWS::ApiGatewayV2::Authorizer", "{lower6}"),
    ("AWS::ApiGatewayV2::Deployment", "{lower6}"),
    ("AWS::ApiGatewayV2::Integration", "{lower7}"),
    ("AWS::ApiGatewayV2::Route", "{lower7}"),
    ("AWS::ApiGatewayV2::Stage", "{StageName}"),
    ("AWS::ApplicationAutoScaling::ScalableTarget", "{ResourceId}|{ScalableDimension}|{ServiceNamespace}"),
    ("AWS::Backup::BackupPlan", "{uuid}"),
    ("AWS::Backup::BackupSelection", "{uuid}_{uuid}"),
    ("AWS::Batch::JobDefinition", "{arn}"),
    (
        "AWS::CloudFormation::WaitCondition",
        "arn:{partition}:cloudformation:{region}:{account}:stack/{stack}/{uuid}/{logical}",
    ),
    (
        "AWS::CloudFormation::WaitConditionHandle",
        "https://cloudformation-waitcondition-{region}.s3.{region}.{suffix}/arn%3A{partition}%3Acloudformation%3A\
        {region}%3A{account}%3Astack%2F{stack}%2F{uuid}%2F{logical}?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Expires=86399&X-Amz-SignedHeaders=host&X-Amz-Signature={hex64}",
    ),
    ("AWS::CloudFront::CachePolicy", "{uuid}"),
    ("AWS::CloudFront::CloudFrontOriginAccessIdentity", "E{upper13}"),
    ("AWS::CloudFront::Distribution", "E{upper13}"),
    ("AWS::CloudFront::OriginAccessControl", "E{upper13}"),
    ("AWS::CloudFront::OriginRequestPolicy", "{uuid}"),
    ("AWS::CloudFront::ResponseHeadersPolicy", "{uuid}"),
    ("AWS::CodeBuild::Project", "{name}"),
    ("AWS::CodeCommit::Repository", "{uuid}"),
    ("AWS::CodeDeploy::DeploymentGroup", "{name}"),
    ("AWS::Cognito::IdentityPool", "{region}:{uuid}"),
    ("AWS::Cognito::UserPool", "{region}_{mixed9}"),
    ("AWS::Cognito::UserPoolClient", "{lower26}"),
    ("AWS::Cognito::UserPoolDomain", "{Domain}"),
    ("AWS::Cognito::UserPoolGroup", "{GroupName}"),
    ("AWS::DirectoryService::MicrosoftAD", "d-{hex10}"),
    ("AWS::DirectoryService::SimpleAD", "d-{hex10}"),
    ("AWS::DocDB::DBCluster", "{name}"),
    ("AWS::DocDB::DBInstance", "{name}"),
    ("AWS::EC2::CarrierGateway", "cagw-{hex17}"),
    ("AWS::EC2::ClientVpnEndpoint", "cvpn-endpoint-{hex17}"),
    ("AWS::EC2::CustomerGateway", "cgw-{hex17}"),
    ("AWS::EC2::DHCPOptions", "dopt-{hex17}"),
    ("AWS::EC2::EC2Fleet", "fleet-{uuid}"),
    ("AWS::EC2::EIP", "198.51.100.{byte}"),
    ("AWS::EC2::EIPAssociation", "eipassoc-{hex17}"),
    ("AWS::EC2::EgressOnlyInternetGateway", "eigw-{hex17}"),
    ("AWS::EC2::FlowLog", "fl-{hex17}"),
    ("AWS::EC2::Instance", "i-{hex17}"),
    ("AWS::EC2::InternetGateway", "igw-{hex17}"),
    ("AWS::EC2::LaunchTemplate", "lt-{hex17}"),
    ("AWS::EC2::NatGateway", "nat-{hex17}"),
    ("AWS::EC2::NetworkAcl", "acl-{hex17}"),
    ("AWS::EC2::NetworkAclEntry", "{name}"),
    ("AWS::EC2::NetworkInterface", "eni-{hex17}"),
    ("AWS::EC2::NetworkInterfaceAttachment", "eni-attach-{hex17}"),
    ("AWS::EC2::PrefixList", "pl-{hex17}"),
    ("AWS::EC2::Route", "{RouteTableId}|{DestinationCidrBlock}{DestinationIpv6CidrBlock}{DestinationPrefixListId}"),
    ("AWS::EC2::RouteTable", "rtb-{hex17}"),
    ("AWS::EC2::SecurityGroup", "sg-{hex17}"),
    ("AWS::EC2::SecurityGroupEgress", "sgr-{hex17}"),
    ("AWS::EC2::SecurityGroupIngress", "sgr-{hex17}"),
    ("AWS::EC2::SpotFleet", "sfr-{uuid}"),
    ("AWS::EC2::Subnet", "subnet-{hex17}"),
    ("AWS::EC2::SubnetCidrBlock", "subnet-cidr-assoc-{hex17}"),
    ("AWS::EC2::SubnetNetworkAclAssociation", "aclassoc-{hex17}"),
    ("AWS::EC2::SubnetRouteTableAssociation", "rtbassoc-{hex17}"),
    ("AWS::EC2::TransitGateway", "tgw-{hex17}"),
    ("AWS::EC2::TransitGatewayAttachment", "tgw-attach-{hex17}"),
    ("AWS::EC2::TransitGatewayRouteTable", "tgw-rtb-{hex17}"),
    ("AWS::EC2::TransitGatewayVpcAttachment", "tgw-attach-{hex17}"),
    ("AWS::EC2::VPC", "vpc-{hex17}"),
    ("AWS::EC2::VPCCidrBlock", "vpc-cidr-assoc-{hex17}"),
    ("AWS::EC2::VPCEndpoint", "vpce-{hex17}"),
    ("AWS::EC2::VPCEndpointService", "vpce-svc-{hex17}"),
    ("AWS::EC2::VPCPeeringConnection", "pcx-{hex17}"),
    ("AWS::EC2::VPNConnection", "vpn-{hex17}"),
    ("AWS::EC2::VPNGateway", "vgw-{hex17}"),
    ("AWS::EC2::Volume", "vol-{hex17}"),
    ("AWS::ECS::Service", "{arn}"),
    ("AWS::ECS::TaskDefinition", "{arn}"),
    ("AWS::EFS::AccessPoint", "fsap-{hex17}"),
    ("AWS::EFS::FileSystem", "fs-{hex17}"),
    ("AWS::EFS::MountTarget", "fsmt-{hex17}"),
    ("AWS::EKS::Addon", "{ClusterName}|{name}"),
    ("AWS::EKS::FargateProfile", "{ClusterName}|{name}"),
    ("AWS::EKS::Nodegroup", "{ClusterName}/{name}"),
    ("AWS::EMR::Cluster", "j-{upper13}"),
    ("AWS::ElasticLoadBalancing::LoadBalancer", "{name}"),
    ("AWS::ElasticLoadBalancingV2::Listener", "{arn}"),
    ("AWS::ElasticLoadBalancingV2::ListenerRule", "{arn}"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "{arn}"),
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "{arn}"),
    ("AWS::Events::EventBus", "{name}"),
    ("AWS::Events::Rule", "{name}"),
    ("AWS::FSx::FileSystem", "fs-{hex17}"),
    ("AWS::IAM::AccessKey", "AKIA{upper16}"),
    ("AWS::IAM::ManagedPolicy", "{arn}"),
    ("AWS::IAM::Policy", "{stack5}-{logical4}-{upper12}"),
    ("AWS::KMS::Key", "{uuid}"),
    ("AWS::KMS::ReplicaKey", "mrk-{hex32}"),
    ("AWS::Lambda::EventSourceMapping", "{uuid}"),
    ("AWS::Lambda::Permission", "{name}"),
    ("AWS::Lambda::Url", "arn:{partition}:lambda:{region}:{account}:function:{TargetFunctionArn}"),
    ("AWS::Lambda::Version", "arn:{partition}:lambda:{region}:{account}:function:{FunctionName}:1"),
    ("AWS::Lambda::Alias", "arn:{partition}:lambda:{region}:{account}:function:{FunctionName}:{Name}"),
    ("AWS::Logs::LogStream", "{name}"),
    ("AWS::Route53::HealthCheck", "{uuid}"),
    ("AWS::Route53::HostedZone", "Z{upper20}"),
    ("AWS::Route53::RecordSet", "{Name}"),
    ("AWS::SNS::Topic", "{arn}"),
    ("AWS::SQS::Queue", "https://sqs.{region}.{suffix}/{account}/{name}"),
    ("AWS::SSM::Association", "{uuid}"),
    ("AWS::SSM::MaintenanceWindow", "mw-{hex17}"),
    ("AWS::SSM::PatchBaseline", "pb-{hex17}"),
    ("AWS::SecretsManager::Secret", "{arn}"),
    ("AWS::ServiceCatalog::CloudFormationProduct", "prod-{lower13}"),
    ("AWS::ServiceCatalog::CloudFormationProvisionedProduct", "pp-{lower13}"),
    ("AWS::ServiceCatalog::Portfolio", "port-{lower13}"),
    ("AWS::ServiceDiscovery::HttpNamespace", "ns-{lower16}"),
    ("AWS::ServiceDiscovery::PrivateDnsNamespace", "ns-{lower16}"),
    ("AWS::ServiceDiscovery::PublicDnsNamespace", "ns-{lower16}"),
    ("AWS::ServiceDiscovery::Service", "srv-{lower16}"),
    ("AWS::WAFv2::IPSet", "{name}|{uuid}|{Scope}"),
    ("AWS::WAFv2::RegexPatternSet", "{name}|{uuid}|{Scope}"),
    ("AWS::WAFv2::RuleGroup", "{name}|{uuid}|{Scope}"),
    ("AWS::WAFv2::WebACL", "{name}|{uuid}|{Scope}"),
];

/// A new physical ID: what `Ref` gives. Text of its own each time, but for what the template names.
pub fn physical_id(facts: &Facts) -> String {
    identify(facts, Source::random())
}

fn identify(facts: &Facts, mut source: Source) -> String {
    if is_custom_resource(facts.kind) {
        return format!("{}_{}_{}", facts.stack_name, facts.logical_id, source.text(UPPER, 8));
    }
    let known = resource_type(facts.kind);
    let name = name(facts, known.as_ref(), &mut source);
    let mut words = Words { facts, id: "", name: &name, addresses: source.clone(), source };
    let id = match IDS.iter().find(|(kind, _)| *kind == facts.kind) {
        Some((_, pattern)) => Some(words.fill(pattern)),
        None => known.map(|known| by_catalogue(&mut words, &known)),
    };
    // Of a property that isn't set, or isn't text, nothing can be made.
    id.filter(|id| !id.is_empty()).unwrap_or(name)
}

/// Whether what `Ref` gives is made up: a name that CloudFormation generates, or an ID of which AWS documents no form.
pub fn has_made_up_id(facts: &Facts) -> bool {
    if is_custom_resource(facts.kind) {
        return true;
    }
    let known = resource_type(facts.kind);
    match IDS.iter().find(|(kind, _)| *kind == facts.kind) {
        Some((_, "{name}")) => given_text(facts, known.as_ref()).is_none(),
        Some((_, pattern)) => !is_documented(pattern),
        None => match known.as_ref().map(|known| known.primary_identifier.as_slice()) {
            Some([identifier]) if identifier.ends_with("Arn") => false,
            _ => given_text(facts, known.as_ref()).is_none(),
        },
    }
}

/// The name that the template itself gives the resource, where no two may have it.
pub fn given_name<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let property = match NAMES.iter().find(|(kind, ..)| *kind == facts.kind) {
        Some((_, property, _)) => property,
        None => {
            let known = resource_type(facts.kind)?;
            identifying(&known).filter(|property| property.ends_with("Name") || property.ends_with("Identifier"))?
        }
    };
    match facts.property(property)? {
        Value::String(name) if !name.is_empty() => Some(name),
        _ => None,
    }
}

/// The property that alone identifies a resource and that a template may set.
fn identifying(known: &ResourceType) -> Option<&'static str> {
    match known.primary_identifier[..] {
        [property] if !known.read_only.contains(&property) => Some(property),
        _ => None,
    }
}

/// The property that names a resource, alone or not.
fn name_property(kind: &str, known: Option<&ResourceType>) -> Option<&'static str> {
    let named = NAMES.iter().find(|(found, ..)| *found == kind).map(|(_, property, _)| *property);
    named
        .or_else(|| NOT_ALONE.iter().find(|(found, _)| *found == kind).map(|(_, property)| *property))
        .or_else(|| known.and_then(identifying))
}

/// Whether a property names a resource of the type.
pub fn is_name(kind: &str, property: &str) -> bool {
    name_property(kind, resource_type(kind).as_ref()) == Some(property)
}

/// The name that the template gives, alone or not.
fn given_text(facts: &Facts, known: Option<&ResourceType>) -> Option<String> {
    let property = name_property(facts.kind, known)?;
    facts.property(property)?.as_text().filter(|name| !name.is_empty())
}

/// The name that the template gives, or a new one.
fn name(facts: &Facts, known: Option<&ResourceType>, source: &mut Source) -> String {
    let row = NAMES.iter().find(|(kind, ..)| *kind == facts.kind);
    let limit = row.map_or(DEFAULT_LIMIT, |(.., limit)| *limit);
    given_text(facts, known).unwrap_or_else(|| {
        let is_fifo = ["FifoQueue", "FifoTopic"].iter().filter_map(|property| facts.property(property)?.as_text());
        // The services want it at the end of the name, and CloudFormation's names have it.
        let ending = if is_fifo.into_iter().any(|text| is_true(&text)) { ".fifo" } else { "" };
        new_name(facts, limit - ending.len(), source) + ending
    })
}

/// `stack-logical-RANDOM`, the stack's name and the logical ID cut where the service allows less.
fn new_name(facts: &Facts, limit: usize, source: &mut Source) -> String {
    const RANDOM: usize = 12;
    let lower = LOWER_CASE.iter().any(|service| facts.kind.starts_with(service));
    let room = limit.saturating_sub(RANDOM + 2);
    let (stack, logical) = (facts.stack_name, facts.logical_id);
    let for_stack = stack.len().min((room / 2).max(room.saturating_sub(logical.len())));
    let for_logical = logical.len().min(room.saturating_sub(for_stack));
    let (stack, logical) = (start(stack, for_stack).trim_end_matches('-'), start(logical, for_logical));
    if lower {
        format!("{stack}-{logical}-{}", source.text(LOWER, RANDOM)).to_ascii_lowercase()
    } else {
        format!("{stack}-{logical}-{}", source.text(UPPER, RANDOM))
    }
}

/// So many bytes of the text, fewer if a character would be cut.
fn start(text: &str, length: usize) -> &str {
    let mut end = length.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// As the catalogue's primary identifier says.
fn by_catalogue(words: &mut Words, known: &ResourceType) -> String {
    let parts: Vec<_> = known.primary_identifier.iter().map(|path| part(words, known, path)).collect();
    parts.join("|")
}

fn part(words: &mut Words, known: &ResourceType, path: &str) -> String {
    if let Some(text) = words.facts.property(path).and_then(|value| value.as_text()) {
        return text;
    }
    let read_only = known.read_only.contains(&path);
    if read_only && path.to_ascii_lowercase().ends_with("arn") {
        return arn::arn(words);
    }
    match path {
        "AccountId" | "RegistryId" => words.facts.account.to_owned(),
        "AttachmentType" if words.facts.property("VpnGatewayId").is_some() => "VGW".to_owned(),
        "AttachmentType" => "IGW".to_owned(),
        // Older types call their name so as well.
        "Id" if known.primary_identifier.len() == 1 && !known.name.starts_with("AWS::EC2::") => words.name.to_owned(),
        _ if read_only && path.ends_with("Id") && known.name.starts_with("AWS::EC2::") => {
            words.fill(&format!("{}-{{hex17}}", arn::kebab(words.facts.type_name())))
        }
        _ if read_only && path.ends_with("Id") => words.fill("{lower10}"),
        _ => words.name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, properties};
    use super::*;

    /// `#` stands for a hexadecimal digit, `^` for a capital or a digit, `~` for a small letter or a digit.
    fn looks_like(id: &str, form: &str) -> bool {
        id.len() == form.len()
            && id.chars().zip(form.chars()).all(|(letter, form)| match form {
                '#' => letter.is_ascii_digit() || ('a'..='f').contains(&letter),
                '^' => letter.is_ascii_digit() || letter.is_ascii_uppercase(),
                '~' => letter.is_ascii_digit() || letter.is_ascii_lowercase(),
                _ => letter == form,
            })
    }

    #[test]
    fn ids_look_as_those_of_aws() {
        let check = |kind: &str, json: &str, form: &str| {
            let properties = properties(json);
            let id = physical_id(&facts(kind, &properties));
            assert!(looks_like(&id, form), "{kind} {id} {form}");
        };
        check("AWS::EC2::VPC", "{}", "vpc-#################");
        check("AWS::EC2::Subnet", "{}", "subnet-#################");
        check("AWS::EC2::VPCGatewayAttachment", r#"{"VpcId":"vpc-1","InternetGatewayId":"igw-1"}"#, "IGW|vpc-1");
        check("AWS::EC2::VPCGatewayAttachment", r#"{"VpcId":"vpc-1","VpnGatewayId":"vgw-1"}"#, "VGW|vpc-1");
        let route = r#"{"RouteTableId":"rtb-1","DestinationCidrBlock":"0.0.0.0/0"}"#;
        check("AWS::EC2::Route", route, "rtb-1|0.0.0.0/0");
        check("AWS::EC2::KeyPair", r#"{"KeyName":"mine"}"#, "mine");
        check("AWS::EC2::Host", "{}", "host-#################");
        check("AWS::S3::Bucket", "{}", "tcat-web-a1b2-thing-~~~~~~~~~~~~");
        check("AWS::S3::Bucket", r#"{"BucketName":"mine"}"#, "mine");
        check("AWS::S3::BucketPolicy", r#"{"Bucket":"mine"}"#, "mine");
        check("AWS::IAM::Role", "{}", "tcat-web-a1b2-Thing-^^^^^^^^^^^^");
        check("AWS::IAM::Policy", r#"{"PolicyName":"mine"}"#, "tcat--Thin-^^^^^^^^^^^^");
        check(
            "AWS::IAM::ManagedPolicy",
            r#"{"ManagedPolicyName":"p","Path":"/a/"}"#,
            "arn:aws:iam::123456789012:policy/a/p",
        );
        check("AWS::SNS::Topic", r#"{"TopicName":"t"}"#, "arn:aws:sns:eu-west-1:123456789012:t");
        check("AWS::SQS::Queue", r#"{"QueueName":"q"}"#, "https://sqs.eu-west-1.amazonaws.com/123456789012/q");
        check(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            r#"{"Name":"lb","Type":"network"}"#,
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/lb/################",
        );
        let above = r#"{"LoadBalancerArn":"arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/lb/0"}"#;
        check(
            "AWS::ElasticLoadBalancingV2::Listener",
            above,
            "arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/lb/0/################",
        );
        check(
            "AWS::SQS::Queue",
            r#"{"FifoQueue":true}"#,
            "https://sqs.eu-west-1.amazonaws.com/123456789012/tcat-web-a1b2-Thing-^^^^^^^^^^^^.fifo",
        );
        check(
            "AWS::WAFv2::IPSet",
            r#"{"Scope":"REGIONAL","Name":"n"}"#,
            "n|########-####-####-####-############|REGIONAL",
        );
        check("AWS::KMS::Key", "{}", "########-####-####-####-############");
        check(
            "AWS::Lambda::Version",
            r#"{"FunctionName":"arn:aws:lambda:eu-west-1:1:function:f"}"#,
            "arn:aws:lambda:eu-west-1:123456789012:function:f:1",
        );
        check(
            "AWS::CloudFormation::WaitCondition",
            "{}",
            "arn:aws:cloudformation:eu-west-1:123456789012:stack/\
            tcat-web-a1b2/########-####-####-####-############/Thing",
        );
        check(
            "AWS::Glue::Table",
            r#"{"CatalogId":"1","DatabaseName":"d","TableInput":{}}"#,
            "1|d|tcat-web-a1b2-Thing-^^^^^^^^^^^^",
        );
        check(
            "AWS::ImageBuilder::Component",
            r#"{"Name":"c","Version":"1"}"#,
            "arn:aws:imagebuilder:eu-west-1:123456789012:component/tcat-web-a1b2-Thing-^^^^^^^^^^^^",
        );
        check("Custom::Thing", "{}", "tcat-web-a1b2_Thing_^^^^^^^^");
        check("Acme::Web::Site", "{}", "tcat-web-a1b2-Thing-^^^^^^^^^^^^");
    }

    #[test]
    fn names_keep_to_the_services_limits() {
        let properties = properties("{}");
        let check = |kind: &str, stack_name: &str, logical_id: &str, expect: &str| {
            let facts = Facts { stack_name, logical_id, ..facts(kind, &properties) };
            let limit = NAMES.iter().find(|(name, ..)| *name == kind).map_or(DEFAULT_LIMIT, |(.., limit)| *limit);
            let name = new_name(&facts, limit, &mut Source::random());
            let (start, random) = name.rsplit_once('-').unwrap();
            assert_eq!((start, random.len()), (expect, 12), "{kind}");
            assert!(name.len() <= limit);
        };
        let (long, short) = ("tcat-quickstart-microsoft-activedirectory", "Role");
        let target_group = "AWS::ElasticLoadBalancingV2::TargetGroup";
        check("AWS::IAM::Role", long, short, "tcat-quickstart-microsoft-activedirectory-Role");
        check(target_group, long, short, "tcat-quickstar-Role");
        check(target_group, long, "WebServersTargetGroup", "tcat-quic-WebServer");
        check(target_group, "s", "WebServersTargetGroup", "s-WebServersTargetG");
        check("AWS::RDS::DBInstance", "Web-Stack", "DB", "web-stack-db");
    }

    #[test]
    fn names_that_are_given_are_known() {
        let check = |kind: &str, json: &str, expect: Option<&str>| {
            let properties = properties(json);
            assert_eq!(given_name(&facts(kind, &properties)), expect, "{kind}");
        };
        check("AWS::S3::Bucket", r#"{"BucketName":"b"}"#, Some("b"));
        check("AWS::S3::Bucket", "{}", None);
        check("AWS::S3::Bucket", r#"{"BucketName":""}"#, None);
        check("AWS::S3::BucketPolicy", r#"{"Bucket":"b"}"#, None);
        check("AWS::SNS::Topic", r#"{"TopicName":"t"}"#, Some("t"));
        check("AWS::IAM::Policy", r#"{"PolicyName":"p"}"#, None);
        check("AWS::ECR::Repository", r#"{"RepositoryName":"r"}"#, Some("r"));
        check("AWS::DynamoDB::Table", r#"{"TableName":"t"}"#, Some("t"));
        check("AWS::EC2::SecurityGroup", r#"{"GroupName":"g"}"#, None);
        check("AWS::Lambda::Url", r#"{"TargetFunctionArn":"f"}"#, None);
        check("Custom::Thing", r#"{"Name":"n"}"#, None);
    }

    /// No word of a pattern is left over, of listed types or of others, and what the tables name is there.
    #[test]
    fn every_type_has_an_id() {
        let properties = properties("{}");
        for kind in NAMES.iter().map(|(kind, ..)| kind).chain(IDS.iter().map(|(kind, _)| kind)) {
            assert!(resource_type(kind).is_some(), "{kind}");
            let id = physical_id(&facts(kind, &properties));
            assert!(!id.contains(['{', '}']), "{kind} {id}");
        }
        for (kind, property) in
            NAMES.iter().map(|(kind, name, _)| (kind, name)).chain(NOT_ALONE.iter().map(|(a, b)| (a, b)))
        {
            assert!(resource_type(kind).is_some_and(|known| known.shape(property).is_some()), "{kind} {property}");
        }
    }
}
