//! How AWS would be called with a profile, and what sets it: for `taskcat doctor`.

use std::time::{Duration, SystemTime};

use http::Uri;
use jiff::Timestamp;

use super::endpoint::aws_url;
use super::http::Proxies;
use super::settings::{Setting, Settings};
use super::{Aws, AwsError, AwsTarget, CallerIdentity, profile};

/// The settings of a profile, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Names (`region`) and what is known of them, with what sets it.
    pub rows: Vec<(&'static str, String)>,
    /// Whom STS takes the caller for.
    pub caller: Option<CallerIdentity>,
    /// Why AWS can't be called.
    pub error: Option<AwsError>,
}

impl Setup {
    fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.rows.push((name, value.into()));
    }

    fn failed(mut self, error: AwsError) -> Self {
        self.error = Some(error);
        self
    }
}

impl Aws {
    /// Finds out how a profile calls AWS in the given regions, or in its own where none is given,
    /// and asks STS who it is.
    pub async fn setup(&self, name: &str, regions: &[String]) -> Setup {
        let mut setup = Setup::default();
        let AwsTarget::Configured { overrides, .. } = &self.target else {
            return setup;
        };
        let home = profile::home_region(name, overrides);
        let region = regions.first().unwrap_or(&home).clone();
        match Settings::load(name, overrides) {
            Ok(settings) => describe(&mut setup, &settings, &region, regions),
            Err(error) => {
                return setup.failed(AwsError::of_credentials(
                    "GetCallerIdentity",
                    &region,
                    &error,
                ));
            }
        }
        let profile = self.profile(name, &region).await;
        if let Some(chain) = &profile.chain {
            match chain.found().await {
                Err(error) => {
                    return setup.failed(AwsError::of_credentials(
                        "GetCallerIdentity",
                        &region,
                        &error,
                    ));
                }
                Ok(found) => {
                    setup.add("credentials", found.source);
                    setup.add(
                        "expiry",
                        found
                            .credentials
                            .expiry()
                            .map_or("never".to_owned(), remaining),
                    );
                }
            }
        }
        let own = [region];
        let asked = if regions.is_empty() { &own } else { regions };
        match self.identify(name, asked).await {
            Err(error) => setup.failed(error),
            Ok((identity, _)) => {
                setup.add("account", identity.account_id.as_str());
                setup.add("identity", identity.arn.as_str());
                setup.caller = Some(identity);
                setup
            }
        }
    }
}

fn describe(setup: &mut Setup, settings: &Settings, region: &str, regions: &[String]) {
    setup.add("profile", settings.described());
    setup.add(
        "files",
        super::settings::searched(&settings.files).replace(" or ", ", "),
    );
    let with_origin = |setting: &Setting| format!("{} ({})", setting.text, setting.origin);
    setup.add(
        "region",
        match settings.region() {
            _ if !regions.is_empty() => format!("{} (of the tests)", regions.join(", ")),
            Ok(Some(setting)) if setting.text == region => with_origin(&setting),
            Ok(Some(setting)) => format!(
                "{region} (of the profile's partition, unlike {})",
                with_origin(&setting)
            ),
            _ => format!("{region} (default)"),
        },
    );
    let endpoint = settings.endpoint("STS");
    setup.add(
        "endpoint",
        endpoint.as_ref().map_or("AWS".to_owned(), with_origin),
    );
    let url = endpoint.map_or_else(
        || aws_url("sts", region, settings.endpoint_variant()),
        |it| it.text,
    );
    let proxies = Proxies::of(&settings.environment);
    let proxy = Uri::try_from(url)
        .ok()
        .and_then(|url| proxies.of_url(&url).cloned());
    setup.add(
        "proxy",
        proxy.map_or("none".to_owned(), |it| {
            format!("{} ({})", it.shown, it.variable)
        }),
    );
    setup.add(
        "CA bundle",
        settings
            .ca_bundle()
            .as_ref()
            .map_or("the system's".to_owned(), with_origin),
    );
}

/// `2026-01-31T12:00:00Z (in 59 min)`
fn remaining(expiry: SystemTime) -> String {
    let left = expiry
        .duration_since(SystemTime::now())
        .unwrap_or(Duration::ZERO);
    let time = Timestamp::try_from(expiry)
        .map(|it| it.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default();
    format!("{time} (in {} min)", left.as_secs() / 60)
}
