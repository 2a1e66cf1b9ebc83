//! Nominal durations of operations on resources.
//!
//! The figures are plausible, not measured: rounded from published stack events for the types, or
//! for whole services if a type isn't listed. Only their order of magnitude is meaningful: what is
//! quick, what takes minutes, and what makes a test run long.

use std::time::Duration;

use crate::simulator::scenario::ResourcePhase;

/// Seconds of creation, update and deletion, by the beginning of a type's name; the longest match
/// counts.
const SECONDS: &[(&str, [u64; 3])] = &[
    ("", [5, 4, 3]),
    ("AWS::ACMPCA::CertificateAuthority", [15, 5, 10]),
    ("AWS::AmazonMQ::Broker", [900, 600, 420]),
    ("AWS::ApiGateway::", [3, 3, 2]),
    ("AWS::ApiGateway::DomainName", [60, 30, 20]),
    ("AWS::ApiGateway::VpcLink", [150, 30, 90]),
    ("AWS::ApiGatewayV2::", [3, 3, 2]),
    ("AWS::AppStream::Fleet", [120, 60, 60]),
    ("AWS::AutoScaling::AutoScalingGroup", [60, 30, 90]),
    ("AWS::Batch::ComputeEnvironment", [30, 20, 45]),
    ("AWS::CertificateManager::Certificate", [120, 5, 5]),
    ("AWS::CloudFormation::Macro", [3, 3, 2]),
    ("AWS::CloudFormation::WaitCondition", [30, 1, 1]),
    ("AWS::CloudFormation::WaitConditionHandle", [1, 1, 1]),
    ("AWS::CloudFront::", [5, 5, 5]),
    ("AWS::CloudFront::Distribution", [240, 180, 240]),
    ("AWS::CloudTrail::", [10, 5, 4]),
    ("AWS::CodeBuild::", [8, 5, 3]),
    ("AWS::CodePipeline::", [6, 5, 3]),
    ("AWS::Config::", [15, 10, 10]),
    ("AWS::DMS::ReplicationInstance", [480, 300, 240]),
    ("AWS::DataSync::", [15, 10, 10]),
    ("AWS::DirectoryService::MicrosoftAD", [1500, 10, 420]),
    ("AWS::DirectoryService::SimpleAD", [480, 10, 300]),
    ("AWS::DocDB::DBCluster", [60, 60, 60]),
    ("AWS::DocDB::DBInstance", [420, 240, 300]),
    ("AWS::DynamoDB::", [33, 20, 15]),
    ("AWS::EC2::", [5, 4, 3]),
    ("AWS::EC2::ClientVpnEndpoint", [10, 10, 60]),
    ("AWS::EC2::EIP", [17, 10, 5]),
    ("AWS::EC2::FlowLog", [8, 5, 4]),
    ("AWS::EC2::Instance", [22, 60, 45]),
    ("AWS::EC2::InternetGateway", [17, 4, 4]),
    ("AWS::EC2::NatGateway", [100, 10, 60]),
    ("AWS::EC2::NetworkInterface", [6, 4, 4]),
    ("AWS::EC2::Route", [17, 17, 17]),
    ("AWS::EC2::RouteTable", [12, 4, 3]),
    ("AWS::EC2::SecurityGroup", [8, 5, 4]),
    ("AWS::EC2::Subnet", [4, 4, 3]),
    ("AWS::EC2::TransitGateway", [90, 30, 60]),
    ("AWS::EC2::VPC", [12, 5, 3]),
    ("AWS::EC2::VPCEndpoint", [70, 20, 60]),
    ("AWS::EC2::VPCGatewayAttachment", [17, 5, 17]),
    ("AWS::EC2::VPNConnection", [240, 180, 180]),
    ("AWS::EC2::VPNGateway", [17, 5, 20]),
    ("AWS::EC2::Volume", [17, 15, 10]),
    ("AWS::ECR::", [3, 3, 3]),
    ("AWS::ECS::", [6, 5, 5]),
    ("AWS::ECS::Service", [120, 150, 90]),
    ("AWS::EFS::FileSystem", [10, 5, 8]),
    ("AWS::EFS::MountTarget", [90, 5, 45]),
    ("AWS::EKS::Addon", [60, 60, 30]),
    ("AWS::EKS::Cluster", [540, 480, 180]),
    ("AWS::EKS::FargateProfile", [90, 5, 150]),
    ("AWS::EKS::Nodegroup", [180, 300, 240]),
    ("AWS::EMR::Cluster", [360, 60, 120]),
    ("AWS::ElastiCache::", [10, 8, 8]),
    ("AWS::ElastiCache::CacheCluster", [360, 300, 240]),
    ("AWS::ElastiCache::ReplicationGroup", [600, 480, 300]),
    ("AWS::ElastiCache::ServerlessCache", [120, 90, 120]),
    ("AWS::ElasticBeanstalk::Environment", [240, 180, 180]),
    ("AWS::ElasticLoadBalancing::LoadBalancer", [10, 8, 10]),
    ("AWS::ElasticLoadBalancingV2::", [4, 3, 3]),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", [125, 15, 20]),
    ("AWS::ElasticLoadBalancingV2::TargetGroup", [17, 5, 3]),
    ("AWS::Elasticsearch::Domain", [900, 900, 600]),
    ("AWS::Events::", [62, 40, 30]),
    ("AWS::FSx::FileSystem", [900, 300, 420]),
    ("AWS::GlobalAccelerator::Accelerator", [15, 10, 60]),
    ("AWS::IAM::", [17, 12, 3]),
    ("AWS::IAM::InstanceProfile", [115, 12, 3]),
    ("AWS::KMS::Alias", [8, 4, 3]),
    ("AWS::KMS::Key", [115, 10, 4]),
    ("AWS::Kinesis::Stream", [35, 30, 35]),
    ("AWS::KinesisFirehose::DeliveryStream", [60, 15, 30]),
    ("AWS::Lambda::", [4, 4, 3]),
    ("AWS::Lambda::EventSourceMapping", [20, 15, 15]),
    ("AWS::Lambda::Function", [6, 10, 4]),
    ("AWS::Logs::", [3, 3, 2]),
    ("AWS::Logs::LogGroup", [2, 3, 2]),
    ("AWS::MSK::Cluster", [1500, 900, 480]),
    ("AWS::MemoryDB::Cluster", [600, 420, 300]),
    ("AWS::Neptune::DBCluster", [60, 60, 60]),
    ("AWS::Neptune::DBInstance", [480, 240, 300]),
    ("AWS::OpenSearchService::Domain", [900, 900, 600]),
    ("AWS::RDS::", [10, 10, 5]),
    ("AWS::RDS::DBCluster", [60, 45, 60]),
    ("AWS::RDS::DBClusterParameterGroup", [10, 10, 3]),
    ("AWS::RDS::DBInstance", [360, 240, 240]),
    ("AWS::RDS::DBProxy", [300, 30, 120]),
    ("AWS::Redshift::", [10, 8, 5]),
    ("AWS::Redshift::Cluster", [240, 240, 120]),
    ("AWS::Route53::", [35, 35, 35]),
    ("AWS::Route53Resolver::ResolverEndpoint", [180, 60, 120]),
    ("AWS::S3::", [5, 5, 3]),
    ("AWS::S3::Bucket", [21, 20, 3]),
    ("AWS::S3::BucketPolicy", [3, 3, 2]),
    ("AWS::SNS::", [5, 5, 3]),
    ("AWS::SNS::Topic", [12, 8, 4]),
    ("AWS::SQS::", [4, 4, 3]),
    ("AWS::SQS::Queue", [45, 20, 35]),
    ("AWS::SSM::", [3, 3, 3]),
    ("AWS::SageMaker::Endpoint", [300, 300, 10]),
    ("AWS::SageMaker::NotebookInstance", [240, 120, 120]),
    ("AWS::SecretsManager::", [3, 3, 3]),
    (
        "AWS::ServiceCatalog::CloudFormationProvisionedProduct",
        [120, 90, 90],
    ),
    ("AWS::ServiceDiscovery::PrivateDnsNamespace", [60, 30, 60]),
    ("AWS::StepFunctions::", [4, 4, 4]),
    ("AWS::Transfer::Server", [120, 60, 60]),
    ("AWS::WAFv2::", [6, 5, 4]),
    ("AWS::WAFv2::WebACL", [15, 10, 5]),
    ("AWS::WorkSpaces::Workspace", [1500, 300, 600]),
    ("Custom::", [8, 8, 8]),
];

/// Returns how long AWS takes, nominally.
pub(crate) fn nominal_duration(kind: &str, phase: ResourcePhase) -> Duration {
    // A complete type name isn't a prefix: the row of `AWS::EC2::VPC` doesn't apply to
    // `AWS::EC2::VPCEndpoint`.
    let fits = |start: &str| {
        start.is_empty() || kind == start || start.ends_with("::") && kind.starts_with(start)
    };
    let row = SECONDS
        .iter()
        .filter(|(start, _)| fits(start))
        .max_by_key(|(start, _)| start.len());
    let [create, update, delete] = row.map_or([5, 4, 3], |(_, seconds)| *seconds);
    Duration::from_secs(match phase {
        ResourcePhase::Create => create,
        ResourcePhase::Update | ResourcePhase::Rollback => update,
        ResourcePhase::Delete => delete,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_matching_prefix_wins() {
        let check = |kind: &str, phase: ResourcePhase, seconds: u64| {
            assert_eq!(
                nominal_duration(kind, phase),
                Duration::from_secs(seconds),
                "{kind} {phase:?}"
            );
        };
        check("AWS::S3::Bucket", ResourcePhase::Create, 21);
        check("AWS::S3::Bucket", ResourcePhase::Delete, 3);
        check("AWS::EKS::Cluster", ResourcePhase::Update, 480);
        check("AWS::EC2::VPCPeeringConnection", ResourcePhase::Create, 5);
        check("AWS::IAM::Role", ResourcePhase::Create, 17);
        check("AWS::IAM::InstanceProfile", ResourcePhase::Create, 115);
        check("AWS::Quantum::Qubit", ResourcePhase::Create, 5);
        check("Custom::Thing", ResourcePhase::Delete, 8);
        check("Acme::Thing::That", ResourcePhase::Delete, 3);
    }
}
