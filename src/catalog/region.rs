//! Which regions exist, and which resource types each of them offers.
//!
//! The table grows old: regions are added, and types become available in more regions. So the table
//! is never a reason to refuse a region, and a type counts as unavailable only if the data have
//! shown that for long: see [`Availability`].

use std::sync::OnceLock;

use super::packed::unpack;
use super::partition::partition_of;
use super::resource_type::resource_type;

/// Whether a region offers a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// CloudFormation lists the type for the region.
    Yes,
    /// The region has no type of this service and had none a year earlier, when other regions
    /// already had the type; and AWS's list of endpoints has the service in other regions but not
    /// in this one.
    No,
    /// CloudFormation's list for the region lacks the type, but the conditions of `No` aren't met.
    /// New types appear in regions every week, so this is worth a warning, not a verdict.
    Unlisted,
    /// No data: a region without a list of its own, or a type that no region lists (custom
    /// resources, modules, third-party and private types, SAM's types, withdrawn types).
    Unknown,
}

/// Returns whether the region offers the type (`AWS::S3::Bucket`), as of [`as_of`].
pub fn offers(region: &str, type_name: &str) -> Availability {
    let table = table();
    let column = table.listed.binary_search(&region).ok();
    let row = table
        .types
        .binary_search_by_key(&type_name, |(name, _)| name)
        .ok();
    let (Some(column), Some(row)) = (column, row) else {
        return Availability::Unknown;
    };
    match table.types[row].1.as_bytes().get(column) {
        Some(b'+') => Availability::Yes,
        Some(b'-') => Availability::No,
        Some(b'?') => Availability::Unlisted,
        _ => Availability::Unknown,
    }
}

/// Returns the known regions of the partition (`aws`, `aws-cn`), sorted, including those without
/// data; empty for an unknown partition.
pub fn regions(partition: &str) -> Vec<&'static str> {
    table()
        .regions
        .iter()
        .copied()
        .filter(|region| partition_of(region).name == partition)
        .collect()
}

/// Returns whether CloudFormation doesn't recognize the type in the region: it is unavailable
/// there, or AWS has no such type, or the name isn't a type name. Returns false for modules and for
/// types that aren't AWS's, since nothing is known about them.
pub fn is_unrecognized(region: &str, type_name: &str) -> bool {
    match offers(region, type_name) {
        Availability::No => true,
        Availability::Yes | Availability::Unlisted => false,
        Availability::Unknown => {
            let is_unknown =
                || !type_name.ends_with("::MODULE") && resource_type(type_name).is_none();
            !type_name.contains("::") || type_name.starts_with("AWS::") && is_unknown()
        }
    }
}

/// Returns whether the region is in the table. One that isn't may be new.
pub fn is_known_region(region: &str) -> bool {
    table().regions.contains(&region)
}

/// Returns the number of Availability Zones that every account has in the region at least: three,
/// but two in us-west-1, where accounts don't have all of them, and in regions that aren't known
/// (<https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html>).
pub fn zones_of_every_account(region: &str) -> usize {
    if region == "us-west-1" || !is_known_region(region) {
        2
    } else {
        3
    }
}

/// Returns up to three known regions with the most similar names, best first; empty if none is
/// similar.
pub fn nearest_regions(text: &str) -> Vec<&'static str> {
    const MOST_EDITS: usize = 2;
    let distances = table()
        .regions
        .iter()
        .map(|region| (strsim::osa_distance(text, region), *region));
    let mut near: Vec<_> = distances
        .filter(|(distance, _)| *distance <= MOST_EDITS)
        .collect();
    near.sort_unstable();
    let least = near.first().map(|(distance, _)| *distance);
    near.into_iter()
        .filter(|(distance, _)| Some(*distance) == least)
        .map(|(_, region)| region)
        .take(3)
        .collect()
}

/// Returns the date of the data: `2026-10-20`.
pub fn as_of() -> &'static str {
    table().as_of
}

/// The decompressed table. Its lines: `as of` with the date; all regions; the regions that have a
/// list of their own, which are the columns that follow; then one line per type, sorted by name,
/// with one mark per column.
#[derive(Default)]
struct RegionTable {
    as_of: &'static str,
    regions: Vec<&'static str>,
    listed: Vec<&'static str>,
    types: Vec<(&'static str, &'static str)>,
}

fn table() -> &'static RegionTable {
    static PACKED: &[u8] = include_bytes!("../../schemas/resource-types-regions.zst");
    static TEXT: OnceLock<Option<String>> = OnceLock::new();
    static TABLE: OnceLock<RegionTable> = OnceLock::new();
    TABLE.get_or_init(|| {
        TEXT.get_or_init(|| unpack(PACKED))
            .as_deref()
            .and_then(read)
            .unwrap_or_default()
    })
}

fn read(text: &'static str) -> Option<RegionTable> {
    let mut lines = text.lines();
    let as_of = lines.next()?.strip_prefix("as of ")?;
    let regions = lines.next()?.split(' ').collect();
    let listed = lines.next()?.split(' ').collect();
    let types = lines
        .map(|line| line.split_once(' '))
        .collect::<Option<_>>()?;
    Some(RegionTable {
        as_of,
        regions,
        listed,
        types,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_near_names() {
        let check =
            |text: &str, expect: &[&str]| assert_eq!(nearest_regions(text), expect, "{text}");
        assert!(
            is_known_region("eu-west-1")
                && is_known_region("us-iso-east-1")
                && !is_known_region("us-esat-1")
        );
        check("us-esat-1", &["us-east-1"]);
        check("eu-cental-1", &["eu-central-1"]);
        check("us-west-3", &["us-west-1", "us-west-2"]);
        check("nowhere-9", &[]);
    }

    #[test]
    fn types_are_offered_where_cloudformation_lists_them() {
        let check = |type_name: &str, region: &str, expect: Availability| {
            assert_eq!(offers(region, type_name), expect, "{type_name} in {region}");
        };
        use Availability::{No, Unknown, Unlisted, Yes};
        check("AWS::S3::Bucket", "us-east-1", Yes);
        check("AWS::EC2::VPC", "ap-southeast-7", Yes);
        check("AWS::EC2::VPC", "us-gov-west-1", Yes);
        check("AWS::Lambda::Function", "cn-northwest-1", Yes);
        check("AWS::IAM::Role", "mx-central-1", Yes);
        check("AWS::CloudFormation::Stack", "ap-east-2", Yes);
        check("AWS::CloudFormation::WaitCondition", "me-central-1", Yes);
        // Services that exist in a single region or a few.
        check("AWS::DeviceFarm::Project", "us-west-2", Yes);
        check("AWS::DeviceFarm::Project", "us-east-1", No);
        check("AWS::CUR::ReportDefinition", "us-east-1", Yes);
        check("AWS::CUR::ReportDefinition", "eu-west-1", No);
        check("AWS::Kendra::Index", "eu-west-3", No);
        check("AWS::CodeBuild::Project", "ca-west-1", No);
        check("AWS::AppRunner::Service", "cn-north-1", No);
        // The region has the service, but its list lacks the type.
        check("AWS::ECR::PublicRepository", "us-east-1", Yes);
        check("AWS::ECR::PublicRepository", "eu-west-1", Unlisted);
        check("AWS::EC2::CarrierGateway", "sa-east-1", Unlisted);
        // Twenty regions' lists dropped it, and most of them had it again within half a year.
        check("AWS::Config::RemediationConfiguration", "us-east-1", Yes);
        check(
            "AWS::Config::RemediationConfiguration",
            "mx-central-1",
            Unlisted,
        );
        // The list of me-central-1 is older than the others.
        check("AWS::DeviceFarm::Project", "me-central-1", Unlisted);
        // Regions without a list of their own.
        check("AWS::S3::Bucket", "us-iso-east-1", Unknown);
        check("AWS::S3::Bucket", "eusc-de-east-1", Unknown);
        check("AWS::S3::Bucket", "me-south-1", Unknown);
        check("AWS::S3::Bucket", "eu-nowhere-9", Unknown);
        check("AWS::S3::Bucket", "", Unknown);
        // Types that no region lists.
        check("Custom::Anything", "us-east-1", Unknown);
        check("AWS::Serverless::Function", "us-east-1", Unknown);
        check("Acme::Quick::Start::MODULE", "us-east-1", Unknown);
        check("MongoDB::Atlas::Cluster", "us-east-1", Unknown);
        check("AWS::S3::Bouquet", "us-east-1", Unknown);
        check("aws::s3::bucket", "us-east-1", Unknown);
        check("AWS::S3::Bucket ", "us-east-1", Unknown);
        check("", "us-east-1", Unknown);
        // CloudFormation lists it like other types.
        check("AWS::CloudFormation::CustomResource", "us-east-1", Yes);
    }

    #[test]
    fn regions_are_known_by_partition() {
        let check = |partition: &str, expect: &[&str]| {
            assert_eq!(regions(partition), expect, "{partition}")
        };
        check("aws-cn", &["cn-north-1", "cn-northwest-1"]);
        check("aws-us-gov", &["us-gov-east-1", "us-gov-west-1"]);
        check("aws-iso", &["us-iso-east-1", "us-iso-west-1"]);
        check("aws-iso-b", &["us-isob-east-1", "us-isob-west-1"]);
        check("aws-iso-e", &["eu-isoe-west-1"]);
        check("aws-iso-f", &["us-isof-east-1", "us-isof-south-1"]);
        check("aws-eusc", &["eusc-de-east-1"]);
        check("aws-mars", &[]);
        let commercial = regions("aws");
        assert_eq!(commercial.len(), 34, "{commercial:?}");
        assert!(commercial.is_sorted());
        for region in [
            "us-east-1",
            "eu-central-1",
            "me-south-1",
            "ap-southeast-6",
            "mx-central-1",
        ] {
            assert!(commercial.contains(&region), "{region}");
        }
    }

    #[test]
    fn the_table_is_complete() {
        let table = table();
        assert_eq!(as_of(), "2026-10-20");
        assert!(table.regions.is_sorted() && table.listed.is_sorted() && table.types.is_sorted());
        assert_eq!(
            (table.regions.len(), table.listed.len(), table.types.len()),
            (46, 37, 1884)
        );
        for (name, row) in &table.types {
            assert!(
                row.len() == 37
                    && row.bytes().all(|mark| b"+-?".contains(&mark))
                    && row.contains('+'),
                "{name}"
            );
        }
        let mut most = ("", 0);
        for (column, region) in table.listed.iter().enumerate() {
            assert!(table.regions.contains(region), "{region}");
            let count = table
                .types
                .iter()
                .filter(|(_, row)| row.as_bytes()[column] == b'+')
                .count();
            assert!(count > 700, "{region} has {count} types");
            most = if count > most.1 {
                (region, count)
            } else {
                most
            };
        }
        assert_eq!(most, ("us-east-1", 1854));
    }

    /// Types that every account needs exist in every region; if the list lacked one, the list would
    /// be unreliable.
    #[test]
    fn basic_types_are_in_every_region() {
        let basic = "ApiGateway::RestApi AutoScaling::AutoScalingGroup \
            CloudFormation::CustomResource CloudWatch::Alarm \
            DynamoDB::Table EC2::Instance EC2::InternetGateway EC2::LaunchTemplate EC2::RouteTable \
            EC2::SecurityGroup \
            EC2::Subnet ECR::Repository ECS::Cluster ECS::Service EFS::FileSystem EKS::Cluster \
            ElasticLoadBalancingV2::LoadBalancer Events::Rule IAM::InstanceProfile \
            IAM::ManagedPolicy KMS::Key \
            Lambda::Permission Logs::LogGroup RDS::DBInstance Route53::HostedZone S3::BucketPolicy \
            SecretsManager::Secret SNS::Topic SQS::Queue SSM::Parameter \
            StepFunctions::StateMachine";
        for name in basic.split_whitespace() {
            for region in &table().listed {
                assert_eq!(
                    offers(region, &format!("AWS::{name}")),
                    Availability::Yes,
                    "{name} in {region}"
                );
            }
        }
    }
}
