//! Where services are: AWS's own endpoints, which hand-written requests need, and those that the
//! user sets instead.

use aws_smithy_runtime_api::http::Request;
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use crate::catalog;

/// Which of a service's endpoints is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EndpointVariant {
    /// The endpoint that uses cryptography validated by FIPS 140.
    pub fips: bool,
    /// The endpoint that has IPv6 addresses as well.
    pub dual_stack: bool,
}

impl EndpointVariant {
    /// Returns the variant that a configuration asks for.
    pub(super) fn of(config: &SdkConfig) -> Self {
        Self {
            fips: config.use_fips() == Some(true),
            dual_stack: config.use_dual_stack() == Some(true),
        }
    }
}

/// Returns the URL of a service of AWS in a region, by the rules that `ec2`, `oidc`, `portal.sso`
/// and `sts` share (`endpoint-rule-set-1.json` of each in botocore). GovCloud's endpoints use FIPS
/// under their usual names.
pub(super) fn aws_url(service: &str, region: &str, variant: EndpointVariant) -> String {
    let partition = catalog::partition_of(region);
    let suffix = if variant.dual_stack {
        partition.dual_stack_dns_suffix
    } else {
        partition.dns_suffix
    };
    let is_named_fips = variant.fips && (variant.dual_stack || partition.name != "aws-us-gov");
    let fips = if is_named_fips { "-fips" } else { "" };
    format!("https://{service}{fips}.{region}.{suffix}")
}

/// Returns the endpoint that the user sets for a service, by any of the SDK's ways, or `None` for
/// AWS itself.
pub(super) fn endpoint_override(config: &SdkConfig, service_id: &'static str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service_id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let by_service = match (config.service_config(), key) {
        (Some(services), Ok(key)) => services.load_config(key),
        _ => None,
    };
    by_service.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// Returns the configuration for one service. An endpoint that the user sets is called as it is, as
/// by boto3; the SDK refuses it beside FIPS and dual-stack endpoints.
pub(super) fn config_for(config: &SdkConfig, service_id: &'static str) -> SdkConfig {
    if endpoint_override(config, service_id).is_none() {
        return config.clone();
    }
    let mut config = config.to_builder();
    config.set_use_fips(None).set_use_dual_stack(None);
    config.build()
}

/// Returns whether requests can be sent there: `http://` or `https://`, and a host.
pub fn is_url(url: &str) -> bool {
    let scheme = url.starts_with("http://") || url.starts_with("https://");
    scheme && Request::new(()).set_uri(url).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_the_endpoint_rules() {
        let check = |service: &str, region: &str, fips: bool, dual_stack: bool, expected: &str| {
            let variant = EndpointVariant { fips, dual_stack };
            assert_eq!(aws_url(service, region, variant), expected);
        };
        check(
            "ec2",
            "us-east-1",
            false,
            false,
            "https://ec2.us-east-1.amazonaws.com",
        );
        check(
            "ec2",
            "us-east-1",
            true,
            false,
            "https://ec2-fips.us-east-1.amazonaws.com",
        );
        check(
            "ec2",
            "eu-west-1",
            false,
            true,
            "https://ec2.eu-west-1.api.aws",
        );
        check(
            "sts",
            "eu-west-1",
            true,
            true,
            "https://sts-fips.eu-west-1.api.aws",
        );
        check(
            "ec2",
            "us-gov-west-1",
            true,
            false,
            "https://ec2.us-gov-west-1.amazonaws.com",
        );
        check(
            "ec2",
            "us-gov-west-1",
            true,
            true,
            "https://ec2-fips.us-gov-west-1.api.aws",
        );
        check(
            "oidc",
            "cn-north-1",
            false,
            false,
            "https://oidc.cn-north-1.amazonaws.com.cn",
        );
        check(
            "portal.sso",
            "cn-north-1",
            true,
            true,
            "https://portal.sso-fips.cn-north-1.api.amazonwebservices.com.cn",
        );
    }
}
