//! Properties, attributes and identifiers of resource types.
//!
//! One schema serves all regions: CloudFormation's for us-east-1, if that region has the type. The
//! table holds one line of JSON per type, in blocks that are compressed separately: a lookup
//! decompresses one block and parses one line.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::packed::unpack;
use super::shape::{ObjectShape, Shape};

/// A resource type. The parts of a path are joined by dots, and `*` matches any item of a list or
/// any key of a map: `Endpoint.Address`, `Rules.*.Id`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'static"))]
pub struct ResourceType {
    /// The type's name, such as `AWS::S3::Bucket`.
    #[serde(skip)]
    pub name: &'static str,
    /// All properties, including those that only AWS sets.
    pub properties: ObjectShape,
    /// Paths of the properties that only AWS sets.
    #[serde(default)]
    pub read_only: Vec<&'static str>,
    /// Attributes that `Fn::GetAtt` accepts; `Outputs.*` and `*` match any name. See
    /// [`ResourceType::accepts`].
    #[serde(default)]
    pub attributes: Vec<&'static str>,
    /// Paths of the properties that identify a resource, in the order in which a physical ID joins
    /// them with `|`. For most types, `Ref` returns the identifier if it is a single property.
    pub primary_identifier: Vec<&'static str>,
    /// Paths of the properties whose change replaces the resource.
    #[serde(default)]
    pub create_only: Vec<&'static str>,
    /// Paths of the properties whose change replaces the resource under some conditions.
    #[serde(default)]
    pub conditional_create_only: Vec<&'static str>,
    /// The shapes that [`Shape::Definition`] refers to.
    #[serde(default)]
    pub definitions: BTreeMap<&'static str, Shape>,
}

/// Returns the type with this name, or `None` if the table doesn't have it. That doesn't mean that
/// the type doesn't exist: custom resources, modules, third-party types, SAM's types and types
/// newer than [`super::as_of`] aren't in it.
///
/// Takes a few microseconds for most types; the first lookup in a block also decompresses it. Only
/// the block is cached.
pub fn resource_type(name: &str) -> Option<ResourceType> {
    let blocks = blocks();
    let block = &blocks[blocks
        .partition_point(|block| block.first <= name)
        .checked_sub(1)?];
    let text = block.text.get_or_init(|| unpack(block.frame)).as_deref()?;
    let (name, line) = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(found, _)| *found == name)?;
    Some(ResourceType {
        name,
        ..serde_json::from_str(line).ok()?
    })
}

/// Returns the names of all types in the table, sorted.
pub fn resource_type_names() -> Vec<&'static str> {
    let texts = blocks()
        .iter()
        .filter_map(|block| block.text.get_or_init(|| unpack(block.frame)).as_deref());
    texts
        .flat_map(str::lines)
        .filter_map(|line| line.split_once(' '))
        .map(|(name, _)| name)
        .collect()
}

impl ResourceType {
    /// Returns whether `Fn::GetAtt` accepts this attribute (`Arn`, `Endpoint.Address`), or `None`
    /// if that is unknown: the attribute is a property that a template sets. CloudFormation returns
    /// such properties for many types, but no complete list exists.
    pub fn accepts(&self, attribute: &str) -> Option<bool> {
        if self
            .attributes
            .iter()
            .any(|known| self.covers(known, attribute))
        {
            return Some(true);
        }
        let first = attribute.split('.').next().unwrap_or_default();
        if self.properties.properties.contains_key(first) {
            None
        } else {
            Some(false)
        }
    }

    /// Returns whether the known attribute is this one or contains it.
    fn covers(&self, known: &str, attribute: &str) -> bool {
        if let Some(prefix) = known.strip_suffix('*') {
            return attribute
                .strip_prefix(prefix)
                .is_some_and(|name| !name.is_empty());
        }
        match attribute.strip_prefix(known) {
            Some("") => true,
            Some(rest) => {
                rest.starts_with('.') && !rest.contains('*') && self.shape(attribute).is_some()
            }
            None => false,
        }
    }

    /// Returns the shape of the property at the path, never a [`Shape::Definition`]; `*` selects
    /// the items of a list. `None` if the type has no such property.
    pub fn shape(&self, path: &str) -> Option<&Shape> {
        let (first, rest) = path
            .split_once('.')
            .map_or((path, None), |(first, rest)| (first, Some(rest)));
        let mut shape = self.resolve(self.properties.shape(first)?)?;
        for part in rest.into_iter().flat_map(|rest| rest.split('.')) {
            let inner = match shape {
                Shape::Object(object) => object.shape(part)?,
                Shape::List(item) if part == "*" => item,
                Shape::Anything => shape,
                _ => return None,
            };
            shape = self.resolve(inner)?;
        }
        Some(shape)
    }

    /// Returns the definition that a shape refers to, other shapes unchanged; `None` if the
    /// definition doesn't exist.
    pub fn resolve<'a>(&'a self, shape: &'a Shape) -> Option<&'a Shape> {
        let mut shape = shape;
        // A definition may refer to another one; the limit ends circular references.
        for _ in 0..=self.definitions.len() {
            match shape {
                Shape::Definition(name) => shape = self.definitions.get(name)?,
                _ => return Some(shape),
            }
        }
        None
    }
}

/// A part of the table: the lines of several types, sorted by name.
struct ResourceTypeBlock {
    /// The type on its first line.
    first: &'static str,
    frame: &'static [u8],
    text: OnceLock<Option<String>>,
}

fn blocks() -> &'static [ResourceTypeBlock] {
    static PACKED: &[u8] = include_bytes!("../../schemas/resource-types-shapes.zst");
    static BLOCKS: OnceLock<Vec<ResourceTypeBlock>> = OnceLock::new();
    BLOCKS.get_or_init(|| read(PACKED).unwrap_or_default())
}

/// Reads the blocks of the file. It begins with a skippable zstd frame: four bytes of magic number,
/// four bytes of length, then one line per block with its first type and its size in bytes.
fn read(file: &'static [u8]) -> Option<Vec<ResourceTypeBlock>> {
    let (length, rest) = file.get(4..)?.split_first_chunk()?;
    let (index, mut frames) =
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let mut blocks = Vec::new();
    for line in str::from_utf8(index).ok()?.lines() {
        let (first, length) = line.split_once(' ')?;
        let (frame, others) = frames.split_at_checked(length.parse().ok()?)?;
        blocks.push(ResourceTypeBlock {
            first,
            frame,
            text: OnceLock::new(),
        });
        frames = others;
    }
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::shape::JsonType;

    fn known(name: &str) -> ResourceType {
        resource_type(name).unwrap_or_else(|| panic!("{name} is not in the table"))
    }

    #[test]
    fn attributes_are_those_that_getatt_accepts() {
        let check = |type_name: &str, attribute: &str, expect: Option<bool>| {
            assert_eq!(
                known(type_name).accepts(attribute),
                expect,
                "{type_name} {attribute}"
            );
        };
        check("AWS::S3::Bucket", "Arn", Some(true));
        check("AWS::S3::Bucket", "RegionalDomainName", Some(true));
        check("AWS::S3::Bucket", "WebsiteURL", Some(true));
        check("AWS::S3::Bucket", "Name", Some(false));
        check("AWS::S3::Bucket", "arn", Some(false));
        check("AWS::S3::Bucket", "", Some(false));
        check("AWS::IAM::Role", "RoleId", Some(true));
        check("AWS::IAM::Role", "Path", None);
        check("AWS::SQS::Queue", "QueueName", Some(true));
        check("AWS::SNS::Topic", "TopicName", Some(true));
        check("AWS::DynamoDB::Table", "StreamArn", Some(true));
        check("AWS::EC2::Instance", "PrivateIp", Some(true));
        check("AWS::EC2::Instance", "AvailabilityZone", Some(true));
        check("AWS::EC2::Instance", "State.Name", Some(true));
        check("AWS::EC2::Instance", "State.Colour", None);
        check("AWS::EC2::Instance", "PrivateIpAddresses", Some(false));
        check("AWS::EC2::VPC", "DefaultSecurityGroup", Some(true));
        check("AWS::EC2::VPC", "CidrBlockAssociations", Some(true));
        check("AWS::EC2::SecurityGroup", "GroupId", Some(true));
        check("AWS::RDS::DBInstance", "Endpoint.Address", Some(true));
        check("AWS::RDS::DBInstance", "Endpoint.Colour", None);
        check("AWS::RDS::DBCluster", "ReadEndpoint.Address", Some(true));
        check(
            "AWS::ElasticLoadBalancing::LoadBalancer",
            "SourceSecurityGroup.GroupName",
            Some(true),
        );
        check(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "DNSName",
            Some(true),
        );
        check("AWS::CloudFormation::Stack", "Outputs.VpcId", Some(true));
        check("AWS::CloudFormation::Stack", "Outputs.", Some(false));
        check("AWS::CloudFormation::Stack", "Outputs", Some(false));
        check("AWS::CloudFormation::Stack", "VpcId", Some(false));
        check("AWS::CloudFormation::WaitCondition", "Data", Some(true));
        check(
            "AWS::CloudFormation::CustomResource",
            "Whatever.It.Sends",
            Some(true),
        );
        check(
            "AWS::ServiceCatalog::CloudFormationProvisionedProduct",
            "Outputs.Url",
            Some(true),
        );
        check(
            "AWS::DirectoryService::MicrosoftAD",
            "DnsIpAddresses",
            Some(true),
        );
    }

    #[test]
    fn properties_have_shapes() {
        let check = |type_name: &str, path: &str, expect: Option<&str>| {
            let found = known(type_name);
            let shape = found.shape(path).map(|shape| match shape {
                Shape::Anything => "anything".to_owned(),
                Shape::Json(types) => format!("{types:?}"),
                Shape::Definition(name) => format!("definition {name}"),
                Shape::List(_) => "list".to_owned(),
                Shape::Object(object) => {
                    let names: Vec<_> = object.properties.keys().copied().collect();
                    format!(
                        "{} required {:?}",
                        names.join(" "),
                        object.required().collect::<Vec<_>>()
                    )
                }
            });
            assert_eq!(shape.as_deref(), expect, "{type_name} {path}");
        };
        check("AWS::S3::Bucket", "BucketName", Some("[String]"));
        check("AWS::S3::Bucket", "Tags", Some("list"));
        check(
            "AWS::S3::Bucket",
            "Tags.*",
            Some(r#"Key Value required ["Key", "Value"]"#),
        );
        check("AWS::S3::Bucket", "Tags.*.Key", Some("[String]"));
        check("AWS::S3::Bucket", "Tags.Key", None);
        check("AWS::S3::Bucket", "Colour", None);
        check("AWS::S3::Bucket", "BucketName.Length", None);
        check(
            "AWS::S3::Bucket",
            "VersioningConfiguration",
            Some(r#"Status required ["Status"]"#),
        );
        check(
            "AWS::IAM::Role",
            "AssumeRolePolicyDocument",
            Some("[String, Object]"),
        );
        check("AWS::IAM::Role", "AssumeRolePolicyDocument.Statement", None);
        check("AWS::Lambda::Function", "MemorySize", Some("[Integer]"));
        check(
            "AWS::Lambda::Function",
            "Environment.Variables.ANY_NAME",
            Some("[String, Integer, Number, Boolean, Object, Array]"),
        );
        check(
            "AWS::ECS::TaskDefinition",
            "ContainerDefinitions.*.DockerLabels.any",
            Some("[String]"),
        );
        check("AWS::RDS::DBInstance", "Endpoint.Address", Some("[String]"));
        check(
            "AWS::CloudFormation::CustomResource",
            "Anything",
            Some("[String, Integer, Number, Object, Array]"),
        );
    }

    #[test]
    fn the_rest_is_known() {
        let required = |name: &str| known(name).properties.required().collect::<Vec<_>>();
        assert_eq!(required("AWS::IAM::Role"), ["AssumeRolePolicyDocument"]);
        assert_eq!(required("AWS::Lambda::Function"), ["Code", "Role"]);
        assert_eq!(required("AWS::CloudFormation::Stack"), ["TemplateURL"]);
        assert_eq!(required("AWS::S3::Bucket"), [""; 0]);

        assert_eq!(known("AWS::S3::Bucket").primary_identifier, ["BucketName"]);
        assert_eq!(known("AWS::SNS::Topic").primary_identifier, ["TopicArn"]);
        assert_eq!(
            known("AWS::ECS::Service").primary_identifier,
            ["ServiceArn", "Cluster"]
        );
        assert_eq!(
            known("AWS::S3::Bucket").create_only,
            ["BucketName", "BucketNamePrefix", "BucketNamespace"]
        );
        assert!(
            known("AWS::EC2::VPC")
                .create_only
                .contains(&"InstanceTenancy")
                || {
                    known("AWS::EC2::VPC")
                        .conditional_create_only
                        .contains(&"InstanceTenancy")
                }
        );
        assert!(known("AWS::EC2::VPC").read_only.contains(&"VpcId"));
        assert_eq!(known("AWS::EC2::VPC").name, "AWS::EC2::VPC");
        assert_eq!(
            known("AWS::EC2::VPC").properties.shape("EnableDnsSupport"),
            Some(&Shape::Json(vec![JsonType::Boolean]))
        );
    }

    #[test]
    fn types_outside_of_the_table_are_unknown() {
        let names = "Custom::X AWS::Serverless::Function Acme::Quick::Start::MODULE \
            MongoDB::Atlas::Cluster AWS::S3 \
            AWS::S3::Bucke AWS::S3::Buckets AWS A ZZ::Z::Z";
        for name in names
            .split_whitespace()
            .chain(["", "AWS::S3::Bucket {", "AWS::S3::Bucket\n"])
        {
            assert_eq!(resource_type(name), None, "{name:?}");
        }
    }

    /// Every line can be parsed, and the paths in it exist.
    #[test]
    fn every_type_is_complete() {
        let mut count = 0;
        for block in blocks() {
            let text = block
                .text
                .get_or_init(|| unpack(block.frame))
                .as_deref()
                .expect("a sound block");
            assert!(
                text.starts_with(&format!("{} ", block.first)),
                "{}",
                block.first
            );
            for line in text.lines() {
                let found = known(line.split_once(' ').expect("a name").0);
                check_whole(&found);
                count += 1;
            }
        }
        assert_eq!(count, 1884);
    }

    fn check_whole(found: &ResourceType) {
        let name = found.name;
        assert!(!found.properties.properties.is_empty(), "{name}");
        assert!(!found.primary_identifier.is_empty(), "{name}");
        for path in found.primary_identifier.iter().chain(&found.read_only) {
            assert!(found.shape(path).is_some(), "{name} {path}");
        }
        for path in &found.read_only {
            assert!(
                path.contains('*') || found.accepts(path) == Some(true),
                "{name} {path}"
            );
        }
        for shape in found.definitions.values() {
            check_names(found, shape);
        }
        check_names(found, &Shape::Object(found.properties.clone()));
    }

    /// Every definition that a shape refers to exists.
    fn check_names(found: &ResourceType, shape: &Shape) {
        match shape {
            Shape::Definition(_) => {
                assert!(found.resolve(shape).is_some(), "{} {shape:?}", found.name)
            }
            Shape::List(item) => check_names(found, item),
            Shape::Object(object) => {
                object
                    .properties
                    .values()
                    .for_each(|property| check_names(found, &property.shape));
                object
                    .others
                    .iter()
                    .for_each(|shape| check_names(found, shape));
            }
            Shape::Anything | Shape::Json(_) => {}
        }
    }
}
