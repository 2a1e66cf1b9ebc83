//! What the simulator holds from the start: a seed file as types, and how it gets into the
//! services.
//!
//! `read` reads a file and says all that is wrong with it. Buckets are created with the simulator;
//! what belongs to an account and region is put there before the first call from it, so that it can
//! be changed and deleted like anything else. The doc comments are the descriptions in
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
use super::ssm::ParameterType;
use super::{ACCOUNT_ID, Caller, Cloud, lock};
pub use read::{LoadedObjects, load, read, schema};

/// What taskcat's simulator holds from the start
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SeedFile {
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
}

/// An SSM parameter
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SsmParameterSeed {
    /// Name: /my/key
    pub name: String,
    /// Value; items of a StringList are separated by commas
    pub value: String,
    /// Type of the parameter; String without it
    #[serde(default, rename = "type")]
    pub kind: ParameterType,
    /// Regions; without any it is every region
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; without any it is every account
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A secret, with either a text or keys
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSeed {
    /// Name
    pub name: String,
    /// The secret's text
    #[serde(default)]
    pub value: Option<String>,
    /// The secret's keys and values, which are stored as JSON
    #[serde(default)]
    pub keys: Option<Map<String, Json>>,
    /// Regions; without any it is every region
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; without any it is every account
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A bucket
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketSeed {
    /// Name
    pub name: String,
    /// Region; us-east-1 without it
    #[serde(default)]
    pub region: Option<String>,
    /// Account ID of the owner; 123456789012 without it
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
pub struct ObjectSeed {
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
pub struct FolderSeed {
    /// Folder, relative to the folder of this file
    pub path: String,
    /// Beginning of the objects' keys: modules/vpc
    #[serde(default)]
    pub prefix: Option<String>,
}

/// An export of a stack that the simulator doesn't have
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportSeed {
    /// Name of the export
    pub name: String,
    /// Value
    pub value: String,
    /// Regions; without any it is every region
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; without any it is every account
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// An EC2 key pair
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPairSeed {
    /// Name
    pub name: String,
    /// Regions; without any it is every region
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; without any it is every account
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// An EC2 image
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageSeed {
    /// ID: ami-0123456789abcdef0
    pub id: String,
    /// Name
    #[serde(default)]
    pub name: Option<String>,
    /// Regions; without any it is every region
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; without any it is every account
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A Route 53 hosted zone
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostedZoneSeed {
    /// ID: Z0123456789ABCDEFGHIJ
    pub id: String,
    /// Name of the domain
    #[serde(default)]
    pub name: Option<String>,
    /// Account IDs; without any it is every account
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A VPC
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VpcSeed {
    /// ID: vpc-0123456789abcdef0
    pub id: String,
    /// Addresses; 10.0.0.0/16 without it
    #[serde(default)]
    pub cidr_block: Option<String>,
    /// It is the region's default VPC
    #[serde(default)]
    pub is_default: bool,
    /// Subnets
    #[serde(default)]
    pub subnets: Vec<SubnetSeed>,
    /// Security groups
    #[serde(default)]
    pub security_groups: Vec<SecurityGroupSeed>,
    /// Regions; without any it is every region
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs; without any it is every account
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
}

/// A subnet
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubnetSeed {
    /// ID: subnet-0123456789abcdef0
    pub id: String,
    /// Addresses
    #[serde(default)]
    pub cidr_block: Option<String>,
    /// Availability zone: us-east-1a
    #[serde(default)]
    pub availability_zone: Option<String>,
}

/// A security group
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityGroupSeed {
    /// ID: sg-0123456789abcdef0
    pub id: String,
    /// Name
    #[serde(default)]
    pub name: Option<String>,
}

/// What is seeded, with the content of all files.
#[derive(Debug, Default)]
pub struct Seeds {
    file: SeedFile,
    /// By bucket and key.
    objects: BTreeMap<(String, String), Bytes>,
    /// Who has got what belongs to an account and region.
    created_for: Mutex<HashSet<Caller>>,
}

/// Whether a caller sees something that patterns restrict to accounts and regions.
fn is_for(caller: &Caller, regions: &[Wildcard], accounts: &[Wildcard]) -> bool {
    let matches_any = |patterns: &[Wildcard], text: &str| {
        patterns.is_empty() || patterns.iter().any(|it| it.matches(text))
    };
    matches_any(regions, &caller.region) && matches_any(accounts, &caller.account)
}

impl Seeds {
    pub fn new(file: SeedFile, loaded: LoadedObjects) -> Self {
        Self {
            file,
            objects: loaded.objects,
            created_for: Mutex::default(),
        }
    }

    /// Adds what another file seeds; of things with the same name the later one counts.
    pub fn add(&mut self, other: Self) {
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
            vpcs,
        } = other.file;
        self.file.ssm_parameters.extend(ssm_parameters);
        self.file.secrets.extend(secrets);
        self.file.buckets.extend(buckets);
        self.file.exports.extend(exports);
        join(&mut self.file.key_pairs, key_pairs);
        join(&mut self.file.images, images);
        join(&mut self.file.hosted_zones, hosted_zones);
        join(&mut self.file.vpcs, vpcs);
        self.objects.extend(other.objects);
    }

    /// Adds an empty bucket, unless one of that name is seeded.
    pub fn add_bucket(&mut self, name: &str, region: &str) {
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
    pub fn add_object(&mut self, bucket: &str, key: &str, content: Bytes) {
        self.objects
            .insert((bucket.to_owned(), key.to_owned()), content);
    }

    /// The caller's key pairs; none where none are seeded at all, and so nothing is known of them.
    pub fn key_pairs<'s>(
        &'s self,
        caller: &'s Caller,
    ) -> Option<impl Iterator<Item = &'s KeyPairSeed>> {
        let all = self.file.key_pairs.as_ref()?;
        Some(
            all.iter()
                .filter(|it| is_for(caller, &it.regions, &it.accounts)),
        )
    }

    /// The caller's images; none as for [`Seeds::key_pairs`].
    pub fn images<'s>(&'s self, caller: &'s Caller) -> Option<impl Iterator<Item = &'s ImageSeed>> {
        let all = self.file.images.as_ref()?;
        Some(
            all.iter()
                .filter(|it| is_for(caller, &it.regions, &it.accounts)),
        )
    }

    /// The caller's hosted zones, which belong to no region; none as for [`Seeds::key_pairs`].
    pub fn hosted_zones<'s>(
        &'s self,
        caller: &'s Caller,
    ) -> Option<impl Iterator<Item = &'s HostedZoneSeed>> {
        let all = self.file.hosted_zones.as_ref()?;
        Some(all.iter().filter(|it| is_for(caller, &[], &it.accounts)))
    }

    /// The caller's VPCs; none as for [`Seeds::key_pairs`].
    pub fn vpcs<'s>(&'s self, caller: &'s Caller) -> Option<impl Iterator<Item = &'s VpcSeed>> {
        let all = self.file.vpcs.as_ref()?;
        Some(
            all.iter()
                .filter(|it| is_for(caller, &it.regions, &it.accounts)),
        )
    }

    /// Whether something of a parameter's type (`AWS::EC2::VPC::Id`) is seeded; none where nothing
    /// of that kind is.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html>
    pub fn has(&self, caller: &Caller, parameter_type: &str, value: &str) -> Option<bool> {
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
            // Names are checked where they are read, so it can only be there already.
            let _ = cloud.s3.create_bucket(&owner, &bucket.name, now);
        }
        for ((bucket, key), content) in &self.objects {
            let _ = cloud.s3.put(bucket, key, content.clone(), now);
        }
    }

    /// Puts what belongs to the caller's account and region there, once.
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
