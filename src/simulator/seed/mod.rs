//! Seeds: the seed file as types, and how its contents get into the services.
//!
//! `read` reads a file and reports all its errors. Buckets are created with the simulator; what
//! belongs to an account and region is created before the first call from there, so that it can be
//! changed and deleted like anything else. The doc comments are the descriptions in
//! `schemas/seed.schema.json`, which is generated from these types.

mod read;

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use bytes::Bytes;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::scenario::Wildcard;
use super::ssm::SsmParameterType;
use super::{ACCOUNT_ID, Caller, Cloud, lock};
pub(crate) use read::{LoadedObjects, load, read};

/// The initial contents of taskcat's simulator
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SeedFile {
    /// SSM parameters
    pub ssm_parameters: Vec<SsmParameterSeed>,
    /// Secrets of Secrets Manager
    pub secrets: Vec<SecretSeed>,
    /// S3 buckets and their objects
    pub buckets: Vec<BucketSeed>,
    /// CloudFormation exports
    pub exports: Vec<ExportSeed>,
    /// EC2 key pairs; with this list, a parameter that names another key pair is refused
    pub key_pairs: Option<Vec<KeyPairSeed>>,
    /// EC2 images; with this list, a parameter that names another image is refused
    pub images: Option<Vec<ImageSeed>>,
    /// Route 53 hosted zones; with this list, a parameter that names another hosted zone is refused
    pub hosted_zones: Option<Vec<HostedZoneSeed>>,
    /// VPCs with their subnets and security groups; with this list, a parameter that names others
    /// is refused
    pub vpcs: Option<Vec<VpcSeed>>,
    /// Service quotas that differ from AWS's defaults
    #[serde(default)]
    pub service_quotas: Vec<ServiceQuotaSeed>,
}

/// A service quota
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceQuotaSeed {
    /// Code of the quota: L-F678F1CE for VPCs per region
    pub code: String,
    /// Value
    pub value: u32,
    /// Regions; default: all
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; default: all
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// An SSM parameter
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SsmParameterSeed {
    /// Name: /my/key
    pub name: String,
    /// Value; items of a StringList are separated by commas
    pub value: String,
    /// Type of the parameter; default: String
    #[serde(default, rename = "type")]
    pub kind: SsmParameterType,
    /// Regions; default: all
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; default: all
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A secret, with either a text or keys
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretSeed {
    /// Name
    pub name: String,
    /// The secret's text
    #[serde(default)]
    pub value: Option<String>,
    /// The secret's keys and values, which are stored as JSON
    #[serde(default)]
    pub keys: Option<Map<String, Json>>,
    /// Regions; default: all
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; default: all
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A bucket
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BucketSeed {
    /// Name
    pub name: String,
    /// Region; default: us-east-1
    #[serde(default)]
    pub region: Option<String>,
    /// Account ID of the owner; default: 123456789012
    #[serde(default)]
    pub account: Option<String>,
    /// Objects
    #[serde(default)]
    pub objects: Vec<ObjectSeed>,
    /// Folders whose files are objects
    #[serde(default)]
    pub folders: Vec<FolderSeed>,
}

/// An object, with either a text or a file
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectSeed {
    /// Key
    pub key: String,
    /// Content
    #[serde(default)]
    pub text: Option<String>,
    /// File with the content, relative to the folder of this file
    #[serde(default)]
    pub file: Option<String>,
}

/// A folder whose files are objects
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FolderSeed {
    /// Folder, relative to the folder of this file
    pub path: String,
    /// Prefix of the objects' keys: modules/vpc
    #[serde(default)]
    pub prefix: Option<String>,
}

/// An export of a stack that the simulator doesn't have
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportSeed {
    /// Name of the export
    pub name: String,
    /// Value
    pub value: String,
    /// Regions; default: all
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; default: all
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// An EC2 key pair
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyPairSeed {
    /// Name
    pub name: String,
    /// Regions; default: all
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; default: all
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// An EC2 image
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImageSeed {
    /// ID: ami-0123456789abcdef0
    pub id: String,
    /// Name
    #[serde(default)]
    pub name: Option<String>,
    /// Description
    #[serde(default)]
    pub description: Option<String>,
    /// Owner: amazon, aws-marketplace, aws-backup-vault, or an account ID; default: the caller's
    /// account
    #[serde(default)]
    pub owner: Option<String>,
    /// When it was created: 2025-06-30T12:00:00.000Z; default: 2025-01-01T00:00:00.000Z
    #[serde(default)]
    pub creation_date: Option<String>,
    /// When it became deprecated, after which only its owner sees it without IncludeDeprecated
    #[serde(default)]
    pub deprecation_time: Option<String>,
    /// Architecture: x86_64, arm64, i386, x86_64_mac or arm64_mac; default: x86_64
    #[serde(default)]
    pub architecture: Option<String>,
    /// State: available, pending, disabled and others; default: available
    #[serde(default)]
    pub state: Option<String>,
    /// Type of the root device: ebs or instance-store; default: ebs
    #[serde(default)]
    pub root_device_type: Option<String>,
    /// Type of virtualization: hvm or paravirtual; default: hvm
    #[serde(default)]
    pub virtualization_type: Option<String>,
    /// Platform: windows; default: Linux, for which AWS shows none
    #[serde(default)]
    pub platform: Option<String>,
    /// Product code of the AWS Marketplace
    #[serde(default)]
    pub product_code: Option<String>,
    /// Regions; default: all
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; default: all
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A Route 53 hosted zone
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostedZoneSeed {
    /// ID: Z0123456789ABCDEFGHIJ
    pub id: String,
    /// Name of the domain
    #[serde(default)]
    pub name: Option<String>,
    /// Account IDs; default: all
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A VPC
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VpcSeed {
    /// ID: vpc-0123456789abcdef0
    pub id: String,
    /// CIDR block; default: 10.0.0.0/16
    #[serde(default)]
    pub cidr_block: Option<String>,
    /// Whether it is the region's default VPC
    #[serde(default)]
    pub is_default: bool,
    /// Subnets
    #[serde(default)]
    pub subnets: Vec<SubnetSeed>,
    /// Security groups
    #[serde(default)]
    pub security_groups: Vec<SecurityGroupSeed>,
    /// Regions; default: all
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; default: all
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A subnet
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubnetSeed {
    /// ID: subnet-0123456789abcdef0
    pub id: String,
    /// CIDR block
    #[serde(default)]
    pub cidr_block: Option<String>,
    /// Availability zone: us-east-1a
    #[serde(default)]
    pub availability_zone: Option<String>,
}

/// A security group
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecurityGroupSeed {
    /// ID: sg-0123456789abcdef0
    pub id: String,
    /// Name
    #[serde(default)]
    pub name: Option<String>,
}

/// The contents of seed files, and of the files that they name.
#[derive(Debug, Default)]
pub(crate) struct Seeds {
    file: SeedFile,
    /// By bucket and key.
    objects: BTreeMap<(String, String), Bytes>,
    /// The accounts and regions whose seeds were created.
    created_for: Mutex<HashSet<Caller>>,
}

/// Returns whether a seed is for the caller's region and account.
fn is_for(caller: &Caller, regions: &[Wildcard], accounts: &[Wildcard]) -> bool {
    let matches_any = |patterns: &[Wildcard], text: &str| {
        patterns.is_empty() || patterns.iter().any(|it| it.matches(text))
    };
    matches_any(regions, &caller.region) && matches_any(accounts, &caller.account)
}

impl Seeds {
    /// Returns the seeds of a file, with the contents of objects.
    pub(crate) fn new(file: SeedFile, loaded: LoadedObjects) -> Self {
        Self {
            file,
            objects: loaded.objects,
            created_for: Mutex::default(),
        }
    }

    /// Adds the seeds of another file; of seeds with the same name the later one counts.
    pub(crate) fn add(&mut self, other: Self) {
        fn join<T>(all: &mut Option<Vec<T>>, more: Option<Vec<T>>) {
            if let Some(more) = more {
                all.get_or_insert_default().extend(more);
            }
        }
        let SeedFile {
            ssm_parameters,
            secrets,
            buckets,
            exports,
            key_pairs,
            images,
            hosted_zones,
            service_quotas,
            vpcs,
        } = other.file;
        self.file.ssm_parameters.extend(ssm_parameters);
        self.file.secrets.extend(secrets);
        self.file.buckets.extend(buckets);
        self.file.exports.extend(exports);
        join(&mut self.file.key_pairs, key_pairs);
        join(&mut self.file.images, images);
        join(&mut self.file.hosted_zones, hosted_zones);
        self.file.service_quotas.extend(service_quotas);
        join(&mut self.file.vpcs, vpcs);
        self.objects.extend(other.objects);
    }

    /// Adds an empty bucket, unless one of that name is seeded.
    pub(crate) fn add_bucket(&mut self, name: &str, region: &str) {
        if !self.file.buckets.iter().any(|bucket| bucket.name == name) {
            let region = Some(region.to_owned());
            self.file.buckets.push(BucketSeed {
                name: name.to_owned(),
                region,
                ..BucketSeed::default()
            });
        }
    }

    /// Adds an object to a bucket.
    pub(crate) fn add_object(&mut self, bucket: &str, key: &str, content: Bytes) {
        self.objects
            .insert((bucket.to_owned(), key.to_owned()), content);
    }

    /// Returns the caller's key pairs; none if no key pairs are seeded at all, so that any may
    /// exist.
    pub(crate) fn key_pairs<'s>(
        &'s self,
        caller: &'s Caller,
    ) -> Option<impl Iterator<Item = &'s KeyPairSeed>> {
        let all = self.file.key_pairs.as_ref()?;
        Some(
            all.iter()
                .filter(|it| is_for(caller, &it.regions, &it.accounts)),
        )
    }

    /// Returns the caller's images; none as for [`Seeds::key_pairs`].
    pub(crate) fn images<'s>(
        &'s self,
        caller: &'s Caller,
    ) -> Option<impl Iterator<Item = &'s ImageSeed>> {
        let all = self.file.images.as_ref()?;
        Some(
            all.iter()
                .filter(|it| is_for(caller, &it.regions, &it.accounts)),
        )
    }

    /// Returns the caller's hosted zones, which belong to no region; none as for
    /// [`Seeds::key_pairs`].
    pub(crate) fn hosted_zones<'s>(
        &'s self,
        caller: &'s Caller,
    ) -> Option<impl Iterator<Item = &'s HostedZoneSeed>> {
        let all = self.file.hosted_zones.as_ref()?;
        Some(all.iter().filter(|it| is_for(caller, &[], &it.accounts)))
    }

    /// Returns the caller's VPCs; none as for [`Seeds::key_pairs`].
    pub(crate) fn vpcs<'s>(
        &'s self,
        caller: &'s Caller,
    ) -> Option<impl Iterator<Item = &'s VpcSeed>> {
        let all = self.file.vpcs.as_ref()?;
        Some(
            all.iter()
                .filter(|it| is_for(caller, &it.regions, &it.accounts)),
        )
    }

    /// Returns the value of a service quota, if it is seeded; the last one counts.
    pub(crate) fn quota(&self, caller: &Caller, code: &str) -> Option<f64> {
        let mut all = self.file.service_quotas.iter();
        let found = all.rfind(|it| it.code == code && is_for(caller, &it.regions, &it.accounts));
        found.map(|it| it.value.into())
    }

    /// Returns whether a value of a parameter's type (`AWS::EC2::VPC::Id`) is seeded; none if
    /// nothing of that kind is.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html>
    pub(crate) fn has(&self, caller: &Caller, parameter_type: &str, value: &str) -> Option<bool> {
        match parameter_type {
            "AWS::EC2::KeyPair::KeyName" => {
                Some(self.key_pairs(caller)?.any(|it| it.name == value))
            }
            "AWS::EC2::Image::Id" => Some(self.images(caller)?.any(|it| it.id == value)),
            "AWS::Route53::HostedZone::Id" => {
                Some(self.hosted_zones(caller)?.any(|it| it.id == value))
            }
            "AWS::EC2::VPC::Id" => Some(self.vpcs(caller)?.any(|it| it.id == value)),
            "AWS::EC2::Subnet::Id" => Some(
                self.vpcs(caller)?
                    .flat_map(|it| &it.subnets)
                    .any(|subnet| subnet.id == value),
            ),
            "AWS::EC2::SecurityGroup::Id" => Some(
                self.vpcs(caller)?
                    .flat_map(|it| &it.security_groups)
                    .any(|group| group.id == value),
            ),
            "AWS::EC2::SecurityGroup::GroupName" => {
                let mut groups = self.vpcs(caller)?.flat_map(|it| &it.security_groups);
                Some(groups.any(|group| group.name.as_deref() == Some(value)))
            }
            _ => None,
        }
    }

    /// Creates the buckets with their objects.
    pub(super) fn create_buckets(&self, cloud: &Cloud) {
        let now = cloud.clock.now();
        for bucket in &self.file.buckets {
            let owner = Caller {
                account: bucket
                    .account
                    .clone()
                    .unwrap_or_else(|| ACCOUNT_ID.to_owned()),
                region: bucket
                    .region
                    .clone()
                    .unwrap_or_else(|| "us-east-1".to_owned()),
            };
            // Names are checked when they are read, so this only fails if the bucket exists
            // already.
            let _ = cloud.s3.create_bucket(&owner, &bucket.name, now);
        }
        for ((bucket, key), content) in &self.objects {
            let _ = cloud.s3.put(bucket, key, content.clone(), now);
        }
    }

    /// Creates the seeds of the caller's account and region, once.
    pub(super) fn create_for(&self, cloud: &Cloud, caller: &Caller) {
        if self.file == SeedFile::default() || !lock(&self.created_for).insert(caller.clone()) {
            return;
        }
        let now = cloud.clock.now();
        for it in self
            .file
            .ssm_parameters
            .iter()
            .filter(|it| is_for(caller, &it.regions, &it.accounts))
        {
            cloud.ssm.put(caller, &it.name, it.kind, &it.value, now);
        }
        for it in self
            .file
            .secrets
            .iter()
            .filter(|it| is_for(caller, &it.regions, &it.accounts))
        {
            it.create_for(cloud, caller, now);
        }
        for it in self
            .file
            .exports
            .iter()
            .filter(|it| is_for(caller, &it.regions, &it.accounts))
        {
            cloud.cloudformation.add_export(caller, &it.name, &it.value);
        }
    }
}

impl SecretSeed {
    fn create_for(&self, cloud: &Cloud, caller: &Caller, now: Timestamp) {
        let keys = || {
            self.keys
                .as_ref()
                .map(|keys| Json::Object(keys.clone()).to_string())
        };
        let value = self.value.clone().or_else(keys);
        // The later one of the same name counts.
        cloud.secrets.delete(caller, &self.name);
        let _ = cloud
            .secrets
            .create(caller, &self.name, value.as_deref(), now);
    }
}
