//! The attributes that `Fn::GetAtt` returns.
//!
//! The catalog knows which attributes a type has. A value is the property of the same name if the
//! template sets it, else what the table lists, else something of the form that the attribute's
//! name and shape suggest. The same resource returns the same values each time: made-up values
//! depend on the physical ID.

use serde_json::Number;

use super::identity::has_made_up_id;
use super::pattern::{Placeholders, SeededText, is_documented, last_of_arn};
use super::{DeclaredResource, arn};
use crate::catalog::{JsonType, ResourceType, Shape, resource_type};
use crate::template::{Value, is_custom_resource};

/// Values by type and attribute; see `pattern`. Commas separate what is a list. A type may stand
/// for several with `*` at its end. Attributes that are their resource's ARN or ID aren't listed.
const ATTRIBUTES: &[(&str, &str, &str)] = &[
    (
        "AWS::AmazonMQ::Broker",
        "AmqpEndpoints",
        "amqp+ssl://{id}-1.mq.{region}.{suffix}:5671",
    ),
    ("AWS::AmazonMQ::Broker", "ConfigurationId", "c-{uuid}"),
    ("AWS::AmazonMQ::Broker", "ConfigurationRevision", "1"),
    (
        "AWS::AmazonMQ::Broker",
        "OpenWireEndpoints",
        "ssl://{id}-1.mq.{region}.{suffix}:61617",
    ),
    (
        "AWS::ApiGateway::DomainName",
        "DistributionDomainName",
        "d{lower13}.cloudfront.net",
    ),
    (
        "AWS::ApiGateway::DomainName",
        "DistributionHostedZoneId",
        "Z2FDTNDATAQYW2",
    ),
    (
        "AWS::ApiGateway::DomainName",
        "RegionalDomainName",
        "d-{lower10}.execute-api.{region}.{suffix}",
    ),
    ("AWS::ApiGateway::RestApi", "RootResourceId", "{lower10}"),
    (
        "AWS::ApiGatewayV2::Api",
        "ApiEndpoint",
        "https://{id}.execute-api.{region}.{suffix}",
    ),
    (
        "AWS::ApiGatewayV2::DomainName",
        "RegionalDomainName",
        "d-{lower10}.execute-api.{region}.{suffix}",
    ),
    ("AWS::AppSync::ApiKey", "ApiKey", "{name}"),
    ("AWS::AppSync::ApiKey", "ApiKeyId", "{name}"),
    (
        "AWS::AppSync::FunctionConfiguration",
        "FunctionId",
        "{name}",
    ),
    ("AWS::AppSync::GraphQLApi", "ApiId", "{name}"),
    (
        "AWS::AppSync::GraphQLApi",
        "GraphQLUrl",
        "https://{lower26}.appsync-api.{region}.{suffix}/graphql",
    ),
    ("AWS::CloudFormation::WaitCondition", "Data", "{}"),
    (
        "AWS::CloudFront::CloudFrontOriginAccessIdentity",
        "S3CanonicalUserId",
        "{hex96}",
    ),
    (
        "AWS::CloudFront::Distribution",
        "DomainName",
        "d{lower13}.cloudfront.net",
    ),
    (
        "AWS::CodeCommit::Repository",
        "CloneUrlHttp",
        "https://git-codecommit.{region}.{suffix}/v1/repos/{RepositoryName}",
    ),
    (
        "AWS::CodeCommit::Repository",
        "CloneUrlSsh",
        "ssh://git-codecommit.{region}.{suffix}/v1/repos/{RepositoryName}",
    ),
    ("AWS::CodeCommit::Repository", "Name", "{RepositoryName}"),
    (
        "AWS::Cognito::UserPool",
        "ProviderName",
        "cognito-idp.{region}.{suffix}/{id}",
    ),
    (
        "AWS::Cognito::UserPool",
        "ProviderURL",
        "https://cognito-idp.{region}.{suffix}/{id}",
    ),
    ("AWS::Cognito::UserPoolClient", "ClientSecret", "{lower51}"),
    ("AWS::DirectoryService::*", "Alias", "{id}"),
    (
        "AWS::DirectoryService::*",
        "DnsIpAddresses",
        "10.0.0.{byte},10.0.1.{byte}",
    ),
    (
        "AWS::DocDB::DBCluster",
        "ClusterResourceId",
        "cluster-{upper26}",
    ),
    (
        "AWS::DocDB::DBCluster",
        "Endpoint",
        "{id}.cluster-{lower12}.{region}.docdb.{suffix}",
    ),
    (
        "AWS::DocDB::DBCluster",
        "ReadEndpoint",
        "{id}.cluster-ro-{lower12}.{region}.docdb.{suffix}",
    ),
    (
        "AWS::DocDB::DBInstance",
        "Endpoint",
        "{id}.{lower12}.{region}.docdb.{suffix}",
    ),
    (
        "AWS::DynamoDB::GlobalTable",
        "StreamArn",
        "{arn}/stream/2025-01-01T00:00:00.000",
    ),
    (
        "AWS::DynamoDB::Table",
        "StreamArn",
        "{arn}/stream/2025-01-01T00:00:00.000",
    ),
    ("AWS::EC2::EIP", "AllocationId", "eipalloc-{hex17}"),
    ("AWS::EC2::EIP", "PublicIp", "{id}"),
    (
        "AWS::EC2::Instance",
        "PrivateDnsName",
        "ip-10-0-{byte}-{byte}.{internal}",
    ),
    ("AWS::EC2::Instance", "PrivateIp", "10.0.{byte}.{byte}"),
    (
        "AWS::EC2::Instance",
        "PublicDnsName",
        "ec2-198-51-100-{byte}.{public}.{suffix}",
    ),
    ("AWS::EC2::Instance", "PublicIp", "198.51.100.{byte}"),
    ("AWS::EC2::Instance", "State.Code", "16"),
    ("AWS::EC2::Instance", "State.Name", "running"),
    ("AWS::EC2::KeyPair", "KeyPairId", "key-{hex17}"),
    ("AWS::EC2::LaunchTemplate", "DefaultVersionNumber", "1"),
    ("AWS::EC2::LaunchTemplate", "LatestVersionNumber", "1"),
    (
        "AWS::EC2::NetworkInterface",
        "PrimaryPrivateIpAddress",
        "10.0.{byte}.{byte}",
    ),
    (
        "AWS::EC2::NetworkInterface",
        "SecondaryPrivateIpAddresses",
        "",
    ),
    ("AWS::EC2::Route", "CidrBlock", "{DestinationCidrBlock}"),
    ("AWS::EC2::Subnet", "Ipv6CidrBlocks", ""),
    (
        "AWS::EC2::Subnet",
        "NetworkAclAssociationId",
        "aclassoc-{hex17}",
    ),
    ("AWS::EC2::VPC", "CidrBlock", "10.0.0.0/16"),
    (
        "AWS::EC2::VPC",
        "CidrBlockAssociations",
        "vpc-cidr-assoc-{hex17}",
    ),
    ("AWS::EC2::VPC", "DefaultNetworkAcl", "acl-{hex17}"),
    ("AWS::EC2::VPC", "DefaultSecurityGroup", "sg-{hex17}"),
    ("AWS::EC2::VPC", "Ipv6CidrBlocks", ""),
    (
        "AWS::EC2::VPCEndpoint",
        "DnsEntries",
        "{hosted}:{id}-{lower8}.{region}.vpce.{suffix}",
    ),
    (
        "AWS::EC2::VPCEndpoint",
        "NetworkInterfaceIds",
        "eni-{hex17}",
    ),
    (
        "AWS::ECR::Repository",
        "RepositoryUri",
        "{account}.dkr.ecr.{region}.{suffix}/{id}",
    ),
    ("AWS::EKS::Cluster", "CertificateAuthorityData", "{mixed64}"),
    ("AWS::EKS::Cluster", "ClusterSecurityGroupId", "sg-{hex17}"),
    (
        "AWS::EKS::Cluster",
        "Endpoint",
        "https://{HEX32}.gr7.{region}.eks.{suffix}",
    ),
    (
        "AWS::EKS::Cluster",
        "OpenIdConnectIssuerUrl",
        "https://oidc.eks.{region}.{suffix}/id/{HEX32}",
    ),
    ("AWS::EKS::Nodegroup", "NodegroupName", "{tail}"),
    (
        "AWS::EMR::Cluster",
        "MasterPublicDNS",
        "ec2-198-51-100-{byte}.{public}.{suffix}",
    ),
    (
        "AWS::ElastiCache::CacheCluster",
        "ConfigurationEndpoint.Address",
        "{id}.{lower6}.cfg.cache.{suffix}",
    ),
    (
        "AWS::ElastiCache::CacheCluster",
        "RedisEndpoint.Address",
        "{id}.{lower6}.0001.cache.{suffix}",
    ),
    (
        "AWS::ElastiCache::ReplicationGroup",
        "ConfigurationEndPoint.Address",
        "clustercfg.{id}.{lower6}.cache.{suffix}",
    ),
    (
        "AWS::ElastiCache::ReplicationGroup",
        "PrimaryEndPoint.Address",
        "master.{id}.{lower6}.cache.{suffix}",
    ),
    (
        "AWS::ElastiCache::ReplicationGroup",
        "ReaderEndPoint.Address",
        "replica.{id}.{lower6}.cache.{suffix}",
    ),
    (
        "AWS::ElasticLoadBalancing::LoadBalancer",
        "CanonicalHostedZoneName",
        "{id}-{number}.{region}.elb.{suffix}",
    ),
    (
        "AWS::ElasticLoadBalancing::LoadBalancer",
        "CanonicalHostedZoneNameID",
        "Z35SXDOTRQ7X7K",
    ),
    (
        "AWS::ElasticLoadBalancing::LoadBalancer",
        "DNSName",
        "{id}-{number}.{region}.elb.{suffix}",
    ),
    (
        "AWS::ElasticLoadBalancing::LoadBalancer",
        "SourceSecurityGroup.GroupName",
        "default",
    ),
    (
        "AWS::ElasticLoadBalancing::LoadBalancer",
        "SourceSecurityGroup.OwnerAlias",
        "{account}",
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "CanonicalHostedZoneID",
        "Z35SXDOTRQ7X7K",
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "DNSName",
        "{parent}-{number}.{region}.elb.{suffix}",
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "LoadBalancerFullName",
        "{beneath}",
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "LoadBalancerName",
        "{parent}",
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Name",
        "{parent}",
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "SecurityGroups",
        "sg-{hex17}",
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "LoadBalancerArns",
        "",
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "TargetGroupFullName",
        "targetgroup/{beneath}",
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "TargetGroupName",
        "{parent}",
    ),
    (
        "AWS::Elasticsearch::Domain",
        "DomainEndpoint",
        "search-{id}-{lower26}.{region}.es.{suffix}",
    ),
    (
        "AWS::FSx::FileSystem",
        "DNSName",
        "{id}.fsx.{region}.{suffix}",
    ),
    ("AWS::IAM::AccessKey", "SecretAccessKey", "{mixed40}"),
    ("AWS::IAM::ManagedPolicy", "PolicyId", "ANPA{upper17}"),
    ("AWS::IAM::Role", "RoleId", "AROA{upper17}"),
    (
        "AWS::Lambda::CodeSigningConfig",
        "CodeSigningConfigId",
        "{name}",
    ),
    (
        "AWS::Lambda::Url",
        "FunctionUrl",
        "https://{lower32}.lambda-url.{region}.on.aws/",
    ),
    (
        "AWS::Neptune::DBCluster",
        "ClusterResourceId",
        "cluster-{upper26}",
    ),
    (
        "AWS::Neptune::DBCluster",
        "Endpoint",
        "{id}.cluster-{lower12}.{region}.neptune.{suffix}",
    ),
    (
        "AWS::Neptune::DBCluster",
        "ReadEndpoint",
        "{id}.cluster-ro-{lower12}.{region}.neptune.{suffix}",
    ),
    (
        "AWS::Neptune::DBInstance",
        "Endpoint",
        "{id}.{lower12}.{region}.neptune.{suffix}",
    ),
    (
        "AWS::OpenSearchService::Domain",
        "DomainEndpoint",
        "search-{id}-{lower26}.{region}.es.{suffix}",
    ),
    ("AWS::OpenSearchService::Domain", "Id", "{account}/{id}"),
    (
        "AWS::RDS::DBCluster",
        "DBClusterResourceId",
        "cluster-{upper26}",
    ),
    (
        "AWS::RDS::DBCluster",
        "Endpoint.Address",
        "{id}.cluster-{lower12}.{region}.rds.{suffix}",
    ),
    (
        "AWS::RDS::DBCluster",
        "MasterUserSecret.SecretArn",
        "arn:{partition}:secretsmanager:{region}:{account}:secret:rds!cluster-{uuid}-{mixed6}",
    ),
    (
        "AWS::RDS::DBCluster",
        "ReadEndpoint.Address",
        "{id}.cluster-ro-{lower12}.{region}.rds.{suffix}",
    ),
    ("AWS::RDS::DBInstance", "DbiResourceId", "db-{upper26}"),
    (
        "AWS::RDS::DBInstance",
        "Endpoint.Address",
        "{id}.{lower12}.{region}.rds.{suffix}",
    ),
    (
        "AWS::RDS::DBInstance",
        "Endpoint.HostedZoneId",
        "Z{upper13}",
    ),
    (
        "AWS::RDS::DBInstance",
        "MasterUserSecret.SecretArn",
        "arn:{partition}:secretsmanager:{region}:{account}:secret:rds!db-{uuid}-{mixed6}",
    ),
    (
        "AWS::RDS::DBProxy",
        "Endpoint",
        "{id}.proxy-{lower12}.{region}.rds.{suffix}",
    ),
    (
        "AWS::Redshift::Cluster",
        "Endpoint.Address",
        "{id}.{lower12}.{region}.redshift.{suffix}",
    ),
    (
        "AWS::Route53::HostedZone",
        "NameServers",
        "ns-1.awsdns-01.com,ns-513.awsdns-02.net,ns-1025.awsdns-03.org,ns-1537.awsdns-04.co.uk",
    ),
    ("AWS::S3::Bucket", "DomainName", "{id}.s3.{suffix}"),
    (
        "AWS::S3::Bucket",
        "DualStackDomainName",
        "{id}.s3.dualstack.{region}.{suffix}",
    ),
    (
        "AWS::S3::Bucket",
        "RegionalDomainName",
        "{id}.s3.{region}.{suffix}",
    ),
    (
        "AWS::S3::Bucket",
        "WebsiteURL",
        "http://{id}.s3-website-{region}.{suffix}",
    ),
    ("AWS::ServiceDiscovery::*", "HostedZoneId", "Z{upper20}"),
    (
        "AWS::WAFv2::WebACL",
        "LabelNamespace",
        "awswaf:{account}:webacl:{Name}:",
    ),
];

/// Returns the value of an attribute.
///
/// # Errors
/// Fails in CloudFormation's words if the type doesn't have the attribute.
pub(crate) fn attribute(
    declared: &DeclaredResource,
    physical_id: &str,
    name: &str,
) -> Result<Value, String> {
    if is_custom_resource(declared.kind) {
        return Ok(Value::text(format!("simulated-{name}")));
    }
    let known = resource_type(declared.kind);
    if known
        .as_ref()
        .is_some_and(|known| known.accepts(name) == Some(false))
    {
        return Err(format!(
            "Requested attribute {name} does not exist in schema for {}",
            declared.kind
        ));
    }
    // A template can't set what only AWS sets.
    let is_read_only = known
        .as_ref()
        .is_some_and(|known| known.read_only.contains(&name));
    if let Some(value) = declared.property(name).filter(|_| !is_read_only) {
        return Ok(value.clone());
    }
    let text = attribute_text(declared, physical_id, name, known.as_ref());
    Ok(
        match known
            .as_ref()
            .and_then(|known| Some((known, known.shape(name)?)))
        {
            Some((known, shape)) => shape_value(known, shape, &text),
            None => Value::String(text),
        },
    )
}

/// Returns whether an attribute's value is made up: neither the template nor AWS's documentation
/// says what it looks like. The real value may be valid where this one isn't.
pub(crate) fn is_made_up_attribute(declared: &DeclaredResource, id: &str, name: &str) -> bool {
    if is_custom_resource(declared.kind) {
        return true;
    }
    let Some(known) = resource_type(declared.kind) else {
        return true;
    };
    let is_read_only = known.read_only.contains(&name);
    if !is_read_only && declared.property(name).is_some() {
        return false;
    }
    match listed_pattern(declared.kind, name) {
        Some("{id}") => has_made_up_id(declared),
        Some(pattern) => !is_documented(pattern),
        None if is_list(&known, name) && !is_read_only => false,
        None if name.eq_ignore_ascii_case("arn") || names_own_type(declared, name, "arn") => false,
        None if identifying_part(&known, id, name).is_some() => has_made_up_id(declared),
        None if names_own_type(declared, name, "id")
            || names_own_type(declared, name, "identifier") =>
        {
            has_made_up_id(declared)
        }
        None => !arn::kebab(name.rsplit('.').next().unwrap_or(name)).ends_with("port"),
    }
}

/// Returns the pattern of an attribute in the table.
fn listed_pattern(kind: &str, attribute: &str) -> Option<&'static str> {
    let matches = |known: &str| {
        known
            .strip_suffix('*')
            .map_or(known == kind, |start| kind.starts_with(start))
    };
    ATTRIBUTES
        .iter()
        .find(|(known, name, _)| *name == attribute && matches(known))
        .map(|(.., pattern)| *pattern)
}

/// Returns whether the type has the attribute; true for types that the catalog doesn't know, and
/// where it can't tell.
pub(crate) fn has_attribute(kind: &str, name: &str) -> bool {
    is_custom_resource(kind)
        || resource_type(kind).is_none_or(|known| known.accepts(name) != Some(false))
}

fn attribute_text(
    declared: &DeclaredResource,
    id: &str,
    attribute: &str,
    known: Option<&ResourceType>,
) -> String {
    let name = if declared.kind == "AWS::SecretsManager::Secret" {
        id
    } else {
        last_of_arn(id)
    };
    let source = SeededText::from_seed(&format!("{id} {attribute}"));
    let mut placeholders = Placeholders {
        declared,
        id,
        name,
        source,
        addresses: SeededText::from_seed(id),
    };
    if let Some(pattern) = listed_pattern(declared.kind, attribute) {
        let pattern = expand_special(declared, id, pattern);
        return placeholders.expand(&pattern);
    }
    // A list that the template could set, but doesn't.
    if known.is_some_and(|known| is_list(known, attribute) && !known.read_only.contains(&attribute))
    {
        return String::new();
    }
    if attribute.eq_ignore_ascii_case("arn") || names_own_type(declared, attribute, "arn") {
        return arn::arn(&mut placeholders);
    }
    if let Some(part) = known.and_then(|known| identifying_part(known, id, attribute)) {
        return part.to_owned();
    }
    from_name_suffix(&mut placeholders, attribute)
}

/// Expands placeholders that only attributes have: `{tail}`, `{parent}` and `{beneath}` are parts
/// of the ID, and `{number}` is the same in all attributes of a resource. The host names of
/// instances in us-east-1 don't contain their region.
fn expand_special(declared: &DeclaredResource, id: &str, pattern: &str) -> String {
    let tail = id.rsplit('/').next().unwrap_or(id);
    let parent = id.rsplit('/').nth(1).unwrap_or(id);
    let rest = id.split_once('/').map_or(id, |(_, rest)| rest);
    let number = SeededText::from_seed(id).text("123456789", 10);
    let hosted = format!(
        "Z{}",
        SeededText::from_seed(id).text(super::pattern::UPPER, 13)
    );
    let (internal, public) = match declared.region {
        "us-east-1" => ("ec2.internal", "compute-1"),
        _ => ("{region}.compute.internal", "{region}.compute"),
    };
    let placeholders = [
        ("{tail}", tail),
        ("{parent}", parent),
        ("{beneath}", rest),
        ("{number}", &number),
        ("{hosted}", &hosted),
        ("{internal}", internal),
        ("{public}", public),
    ];
    placeholders
        .iter()
        .fold(pattern.to_owned(), |text, (word, value)| {
            text.replace(word, value)
        })
}

/// Returns true for `TopicArn` of a topic and `ClusterName` of a cluster: the type's name or its
/// end, followed by `what`.
fn names_own_type(declared: &DeclaredResource, attribute: &str, what: &str) -> bool {
    let attribute = attribute.to_ascii_lowercase();
    let start = attribute.strip_suffix(what);
    start.is_some_and(|start| declared.type_name().to_ascii_lowercase().ends_with(start))
}

/// What the end of an attribute's name says of its value, words in lower case and with hyphens
/// before them; the first that fits counts. `{host}` is a name in the service's domain.
const SUFFIX_PATTERNS: &[(&str, &str)] = &[
    ("-security-group-id", "sg-{hex17}"),
    ("-security-group-ids", "sg-{hex17}"),
    ("-network-interface-id", "eni-{hex17}"),
    ("-eni-id", "eni-{hex17}"),
    ("-route-table-id", "rtb-{hex17}"),
    ("-vpc-id", "vpc-{hex17}"),
    ("-subnet-id", "subnet-{hex17}"),
    ("-instance-id", "i-{hex17}"),
    ("-image-id", "ami-{hex17}"),
    ("-volume-id", "vol-{hex17}"),
    ("-file-system-id", "fs-{hex17}"),
    ("-key-id", "{uuid}"),
    ("-hosted-zone-id", "Z{upper13}"),
    ("-account-id", "{account}"),
    ("-owner-id", "{account}"),
    ("-id", "{lower10}"),
    ("-domain-name", "{host}"),
    ("-dns-name", "{host}"),
    ("-ip-address", "10.0.{byte}.{byte}"),
    ("-ip-addresses", "10.0.{byte}.{byte}"),
    ("-ip", "10.0.{byte}.{byte}"),
    ("-ips", "10.0.{byte}.{byte}"),
    ("-address", "{host}"),
    ("-endpoint", "{host}"),
    ("-url", "https://{host}"),
    ("-uri", "https://{host}"),
    ("-name", "{name}"),
    ("-availability-zone", "{region}a"),
    ("-availability-zones", "{region}a"),
    ("-time", "2025-01-01T00:00:00Z"),
    ("-date", "2025-01-01T00:00:00Z"),
    ("-timestamp", "2025-01-01T00:00:00Z"),
    ("-at", "2025-01-01T00:00:00Z"),
    ("-version", "1"),
    ("-version-number", "1"),
    ("-revision", "1"),
];

/// Returns a value of the form that the attribute's name suggests.
fn from_name_suffix(placeholders: &mut Placeholders, attribute: &str) -> String {
    let declared = placeholders.declared;
    let last = attribute.rsplit('.').next().unwrap_or(attribute);
    let ending = format!("-{}", arn::kebab(last));
    if ending.ends_with("-arn") {
        return arn::related_arn(placeholders, &last[..last.len() - "arn".len()]);
    }
    if names_own_type(declared, attribute, "id")
        || names_own_type(declared, attribute, "identifier")
    {
        return placeholders.id.to_owned();
    }
    if ending.ends_with("-port") {
        return port(declared);
    }
    match SUFFIX_PATTERNS
        .iter()
        .find(|(end, _)| ending.ends_with(end))
    {
        Some((_, pattern)) => {
            let (name, service) = (
                placeholders.name.to_ascii_lowercase(),
                arn::service(declared.kind),
            );
            let host = format!("{name}.{{lower12}}.{{region}}.{service}.{{suffix}}");
            placeholders.expand(&pattern.replace("{host}", &host))
        }
        None => format!("simulated-{attribute}"),
    }
}

/// Returns the port that the service listens on: the template's, or the default of its engine.
fn port(declared: &DeclaredResource) -> String {
    if let Some(port) = declared.property("Port").and_then(|port| port.as_text()) {
        return port;
    }
    let engine = declared
        .property("Engine")
        .and_then(|engine| engine.as_text())
        .unwrap_or_default();
    let starts = |start: &str| engine.starts_with(start);
    let port = match declared.kind.split("::").nth(1).unwrap_or_default() {
        "RDS" if starts("postgres") || starts("aurora-postgres") => "5432",
        "RDS" if starts("oracle") => "1521",
        "RDS" if starts("sqlserver") => "1433",
        "RDS" if starts("db2") => "50000",
        "RDS" => "3306",
        "ElastiCache" if starts("memcached") => "11211",
        "ElastiCache" | "MemoryDB" => "6379",
        "Redshift" | "RedshiftServerless" => "5439",
        "DocDB" => "27017",
        "Neptune" => "8182",
        _ => "443",
    };
    port.to_owned()
}

/// Returns the part of the ID that is this property.
fn identifying_part<'a>(known: &ResourceType, id: &'a str, property: &str) -> Option<&'a str> {
    let position = known
        .primary_identifier
        .iter()
        .position(|path| *path == property)?;
    match known.primary_identifier.len() {
        1 => Some(id),
        // `Ref` may return only one of the parts; then the others are unknown.
        count if id.split('|').count() == count => id.split('|').nth(position),
        _ => None,
    }
}

fn is_list(known: &ResourceType, attribute: &str) -> bool {
    matches!(known.shape(attribute), Some(Shape::List(_)))
}

/// Returns the text as a value of that shape.
fn shape_value(known: &ResourceType, shape: &Shape, text: &str) -> Value {
    match known.resolve(shape) {
        // The contents of such objects are unknown.
        Some(Shape::List(item)) if matches!(known.resolve(item), Some(Shape::Object(_))) => {
            Value::List(Vec::new())
        }
        Some(Shape::List(item)) => Value::List(
            text.split(',')
                .filter(|part| !part.is_empty())
                .map(|part| shape_value(known, item, part))
                .collect(),
        ),
        Some(Shape::Object(_)) => Value::Map(Default::default()),
        Some(Shape::Json(types)) => match types[..] {
            [JsonType::Boolean] => Value::Bool(false),
            [JsonType::Integer | JsonType::Number] => {
                Value::Number(text.parse().unwrap_or_else(|_| Number::from(1)))
            }
            // The data of a wait condition are JSON in a string.
            [JsonType::Object] if !text.starts_with('{') => Value::Map(Default::default()),
            [JsonType::Array] => Value::List(vec![Value::text(text)]),
            _ => Value::text(text),
        },
        Some(Shape::Anything | Shape::Definition(_)) | None => Value::text(text),
    }
}

#[cfg(test)]
mod tests {
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
        let (topic, arn) = ("AWS::SNS::Topic", "arn:aws:sns:eu-west-1:1:t");
        check(topic, "{}", arn, "TopicArn", &format!("{arn:?}"));
        check(topic, "{}", arn, "TopicName", r#""t""#);
        let (queue, url) = ("AWS::SQS::Queue", "https://sqs.eu-west-1.amazonaws.com/1/q");
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
        let (balancer, arn) = (
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "arn:aws:e:eu-west-1:1:loadbalancer/app/lb/9",
        );
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
    fn undocumented_attributes_are_made_up() {
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
}
