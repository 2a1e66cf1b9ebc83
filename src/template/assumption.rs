//! What must hold in AWS for a stack to be launched, where a template alone doesn't tell.

use std::fmt;

/// Something that must hold in the stack's account for it to be launched. Without a region of its
/// own, it concerns the stack's region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assumption {
    /// A region has this many Availability Zones.
    AvailabilityZones {
        /// The region.
        region: String,
        /// How many are needed.
        count: usize,
        /// IDs of zones that don't count: `use1-az3`.
        excluded: Vec<String>,
    },
    /// A thing of the type of a parameter exists, such as a key pair.
    Named {
        /// The parameter's type: `AWS::EC2::KeyPair::KeyName`.
        parameter_type: String,
        /// Its name or ID.
        name: String,
    },
    /// An SSM parameter is set.
    SsmParameter {
        /// Its name, which may include a version.
        name: String,
    },
    /// A secret of Secrets Manager exists.
    Secret {
        /// Its name or ARN.
        id: String,
    },
    /// A stack exports a value.
    Export {
        /// The export's name.
        name: String,
    },
    /// A stack has an output.
    StackOutput {
        /// The stack's name or ARN.
        stack: String,
        /// The output's logical ID.
        output: String,
        /// The stack's region, if it is another one.
        region: Option<String>,
    },
    /// An S3 object exists.
    Object {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// An S3 object exists at a URL that isn't understood here.
    Url {
        /// The URL.
        url: String,
    },
    /// The account has a macro.
    Macro {
        /// The macro's name.
        name: String,
    },
    /// The region offers a resource type.
    ResourceType {
        /// The type.
        name: String,
    },
    /// An unknown value is what the template requires.
    Value {
        /// The requirement in words: `the value of parameter Size is one of its AllowedValues`.
        requirement: String,
    },
}

/// Names of things in messages, by the type of parameter that names them.
const NAMED: [(&str, &str); 9] = [
    ("AWS::EC2::AvailabilityZone::Name", "availability zone"),
    ("AWS::EC2::Image::Id", "AMI"),
    ("AWS::EC2::Instance::Id", "instance"),
    ("AWS::EC2::KeyPair::KeyName", "key pair"),
    ("AWS::EC2::SecurityGroup::Id", "security group"),
    ("AWS::EC2::Subnet::Id", "subnet"),
    ("AWS::EC2::VPC::Id", "VPC"),
    ("AWS::EC2::Volume::Id", "volume"),
    (HOSTED_ZONE, "hosted zone"),
];

const HOSTED_ZONE: &str = "AWS::Route53::HostedZone::Id";

impl Assumption {
    /// Describes it for a stack in `region`: ``key pair `cikey` exists in eu-west-1``.
    pub fn described(&self, region: &str) -> String {
        DescribedAssumption {
            assumption: self,
            region,
        }
        .to_string()
    }
}

struct DescribedAssumption<'a> {
    assumption: &'a Assumption,
    region: &'a str,
}

impl fmt::Display for DescribedAssumption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = self.region;
        match self.assumption {
            Assumption::AvailabilityZones {
                region,
                count,
                excluded,
            } => {
                let plural = if *count == 1 { "" } else { "s" };
                write!(f, "{count} availability zone{plural} in {region}")?;
                if !excluded.is_empty() {
                    write!(f, " other than {}", excluded.join(", "))?;
                }
                Ok(())
            }
            Assumption::Named {
                parameter_type,
                name,
            } => {
                let known = NAMED.iter().find(|(known, _)| known == parameter_type);
                let kind = known.map_or(parameter_type.as_str(), |(_, kind)| kind);
                write!(f, "{kind} `{name}` exists")?;
                if parameter_type != HOSTED_ZONE {
                    write!(f, " in {region}")?;
                }
                Ok(())
            }
            Assumption::SsmParameter { name } => {
                write!(f, "SSM parameter `{name}` is set in {region}")
            }
            Assumption::Secret { id } => write!(f, "secret `{id}` exists in {region}"),
            Assumption::Export { name } => write!(f, "export `{name}` exists in {region}"),
            Assumption::StackOutput {
                stack,
                output,
                region: other,
            } => {
                let region = other.as_deref().unwrap_or(region);
                write!(f, "stack `{stack}` in {region} has the output `{output}`")
            }
            Assumption::Object { bucket, key } => {
                write!(f, "the object s3://{bucket}/{key} exists")
            }
            Assumption::Url { url } => write!(f, "the object {url} exists"),
            Assumption::Macro { name } => write!(f, "macro `{name}` exists in {region}"),
            Assumption::ResourceType { name } => write!(f, "{region} offers {name}"),
            Assumption::Value { requirement } => f.write_str(requirement),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumptions_can_be_checked_by_a_person() {
        let check = |assumption: Assumption, expect: &str| {
            assert_eq!(assumption.described("eu-west-1"), expect);
        };
        let named = |parameter_type: &str, name: &str| Assumption::Named {
            parameter_type: parameter_type.to_owned(),
            name: name.to_owned(),
        };
        let zones = |count, excluded: &[&str]| Assumption::AvailabilityZones {
            region: "us-west-1".to_owned(),
            count,
            excluded: excluded.iter().map(|id| (*id).to_owned()).collect(),
        };
        check(
            named("AWS::EC2::KeyPair::KeyName", "cikey"),
            "key pair `cikey` exists in eu-west-1",
        );
        check(named(HOSTED_ZONE, "Z1"), "hosted zone `Z1` exists");
        check(
            named("AWS::New::Thing::Id", "x"),
            "AWS::New::Thing::Id `x` exists in eu-west-1",
        );
        check(zones(1, &[]), "1 availability zone in us-west-1");
        check(
            zones(3, &["usw1-az1"]),
            "3 availability zones in us-west-1 other than usw1-az1",
        );
        let output = Assumption::StackOutput {
            stack: "net".to_owned(),
            output: "Vpc".to_owned(),
            region: Some("us-east-1".to_owned()),
        };
        check(output, "stack `net` in us-east-1 has the output `Vpc`");
    }
}
