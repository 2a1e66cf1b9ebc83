//! AWS partitions and which of them a region belongs to.
//!
//! The data are those of the AWS SDK's endpoint rules (`endpoint_lib.rs` of any `aws-sdk-*` crate,
//! `partitions.json` version 1.1). Regions are matched by the form of their names, so that regions
//! newer than this table work.

/// An AWS partition.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// The name in ARNs: `aws`, `aws-cn`.
    pub name: &'static str,
    /// The suffix of service host names: `amazonaws.com`.
    pub dns_suffix: &'static str,
    /// The end of the host names that have IPv6 addresses as well: `api.aws`.
    pub dual_stack_dns_suffix: &'static str,
    /// What the SDK's `regionRegex` allows before `-<words>-<digits>`.
    region_prefixes: &'static [&'static str],
}

/// Returns the partition of a region; `aws` if the name has no known form, like the SDK.
pub fn partition_of(region: &str) -> &'static Partition {
    PARTITIONS
        .iter()
        .copied()
        .find(|partition| partition.has(region))
        .unwrap_or(&AWS)
}

/// Returns the partition with that name.
pub fn partition(name: &str) -> Option<&'static Partition> {
    PARTITIONS
        .iter()
        .copied()
        .find(|partition| partition.name == name)
}

impl Partition {
    /// Returns whether the name has the form of this partition's regions or is its pseudo-region
    /// (`aws-cn-global`).
    fn has(&self, region: &str) -> bool {
        if region.strip_suffix("-global") == Some(self.name) {
            return true;
        }
        let shaped = |prefix: &&str| {
            let place = region
                .strip_prefix(*prefix)
                .and_then(|rest| rest.strip_prefix('-'));
            place
                .and_then(|place| place.split_once('-'))
                .is_some_and(|(direction, number)| {
                    !direction.is_empty()
                        && direction
                            .chars()
                            .all(|c| c.is_ascii_alphanumeric() || c == '_')
                        && !number.is_empty()
                        && number.chars().all(|c| c.is_ascii_digit())
                })
        };
        self.region_prefixes.iter().any(shaped)
    }
}

static PARTITIONS: [&Partition; 8] = [
    &AWS,
    &AWS_CN,
    &AWS_EUSC,
    &AWS_ISO,
    &AWS_ISO_B,
    &AWS_ISO_E,
    &AWS_ISO_F,
    &AWS_US_GOV,
];

static AWS: Partition = Partition {
    name: "aws",
    dns_suffix: "amazonaws.com",
    dual_stack_dns_suffix: "api.aws",
    region_prefixes: &["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"],
};

static AWS_CN: Partition = Partition {
    name: "aws-cn",
    dns_suffix: "amazonaws.com.cn",
    dual_stack_dns_suffix: "api.amazonwebservices.com.cn",
    region_prefixes: &["cn"],
};

static AWS_EUSC: Partition = Partition {
    name: "aws-eusc",
    dns_suffix: "amazonaws.eu",
    dual_stack_dns_suffix: "api.amazonwebservices.eu",
    region_prefixes: &["eusc-de"],
};

static AWS_ISO: Partition = Partition {
    name: "aws-iso",
    dns_suffix: "c2s.ic.gov",
    dual_stack_dns_suffix: "api.aws.ic.gov",
    region_prefixes: &["us-iso"],
};

static AWS_ISO_B: Partition = Partition {
    name: "aws-iso-b",
    dns_suffix: "sc2s.sgov.gov",
    dual_stack_dns_suffix: "api.aws.scloud",
    region_prefixes: &["us-isob"],
};

static AWS_ISO_E: Partition = Partition {
    name: "aws-iso-e",
    dns_suffix: "cloud.adc-e.uk",
    dual_stack_dns_suffix: "api.cloud-aws.adc-e.uk",
    region_prefixes: &["eu-isoe"],
};

static AWS_ISO_F: Partition = Partition {
    name: "aws-iso-f",
    dns_suffix: "csp.hci.ic.gov",
    dual_stack_dns_suffix: "api.aws.hci.ic.gov",
    region_prefixes: &["us-isof"],
};

static AWS_US_GOV: Partition = Partition {
    name: "aws-us-gov",
    dns_suffix: "amazonaws.com",
    dual_stack_dns_suffix: "api.aws",
    region_prefixes: &["us-gov"],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_belong_to_partitions_by_shape() {
        let check = |region: &str, name: &str, suffix: &str| {
            let partition = partition_of(region);
            assert_eq!(
                (partition.name, partition.dns_suffix),
                (name, suffix),
                "{region}"
            );
        };
        check("us-east-1", "aws", "amazonaws.com");
        check("ap-southeast-7", "aws", "amazonaws.com");
        check("mx-central-1", "aws", "amazonaws.com");
        check("eu-nowhere-42", "aws", "amazonaws.com");
        check("cn-north-1", "aws-cn", "amazonaws.com.cn");
        check("cn-southwest-9", "aws-cn", "amazonaws.com.cn");
        check("us-gov-west-1", "aws-us-gov", "amazonaws.com");
        check("us-iso-east-1", "aws-iso", "c2s.ic.gov");
        check("us-isob-west-1", "aws-iso-b", "sc2s.sgov.gov");
        check("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk");
        check("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov");
        check("eusc-de-east-1", "aws-eusc", "amazonaws.eu");
        check("aws-cn-global", "aws-cn", "amazonaws.com.cn");
        check("aws-us-gov-global", "aws-us-gov", "amazonaws.com");
        // No known form: the SDK falls back to `aws`.
        check("moon-base-1", "aws", "amazonaws.com");
        check("eusc-fr-west-1", "aws", "amazonaws.com");
        check("cn--1", "aws", "amazonaws.com");
        check("cn-north-", "aws", "amazonaws.com");
        check("", "aws", "amazonaws.com");
    }
}
