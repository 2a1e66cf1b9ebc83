//! What applies to the calls of one profile: region, endpoints, certificates, retries and S3's
//! settings, from the command line, the environment and the profile, in botocore's order
//! (`configprovider.py`).
//!
//! Pure but for [`Settings::load`]. Where a value can't be meant, the error names the
//! variable, or file and line.

use crate::spelling::did_you_mean_one_of;
use std::path::{Path, PathBuf};

use super::endpoint::EndpointVariant;
use super::environment::Environment;
use super::profile_error::ProfileError;
use super::shared_config::{DEFAULT_SECTION, Located, SharedConfig};
use super::{DEFAULT_PROFILE, EXPLICIT_DEFAULT_PROFILE, ErrorKind};

/// What the command line adds to environment and files.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides {
    /// For every service.
    pub endpoint_url: Option<String>,
    /// Certificates of the authorities to trust, in PEM.
    pub ca_bundle: Option<PathBuf>,
}

/// A value and the name of what sets it: a variable, or file and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub text: String,
    pub origin: String,
}

/// How a bucket is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressingStyle {
    Path,
    Virtual,
}

/// Settings that S3 has alone, from the profile's `s3 =` block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct S3Settings {
    /// `None` leaves the choice to the client.
    pub addressing_style: Option<AddressingStyle>,
    pub use_accelerate_endpoint: bool,
    pub use_dualstack_endpoint: bool,
}

/// One profile in one environment.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub environment: Environment,
    pub files: SharedConfig,
    /// The section of the files that counts.
    pub profile: String,
    /// The user asked for this profile, so that keys in the environment don't count.
    pub is_explicit: bool,
    pub overrides: Overrides,
}

impl Settings {
    /// Reads the files and selects the profile: the one named, else that of `AWS_DEFAULT_PROFILE`
    /// or `AWS_PROFILE`, else `default`.
    ///
    /// # Errors
    /// A file can't be read, or the profile doesn't exist.
    pub(super) fn load(profile: &str, overrides: &Overrides) -> Result<Self, ProfileError> {
        let environment = Environment::of_process();
        let files = SharedConfig::load(&environment)?;
        Self::select(profile, environment, files, overrides.clone())
    }

    fn select(
        profile: &str,
        environment: Environment,
        files: SharedConfig,
        overrides: Overrides,
    ) -> Result<Self, ProfileError> {
        let selected = environment.first_of(&["AWS_DEFAULT_PROFILE", "AWS_PROFILE"]);
        let selected = selected.map(|(variable, name)| (name.to_owned(), variable));
        let (name, origin, is_explicit) = match profile {
            // Python's TaskCat falls back to the environment where the files have no `default`.
            EXPLICIT_DEFAULT_PROFILE if files.has_profile(DEFAULT_SECTION) => {
                (DEFAULT_SECTION.to_owned(), "", true)
            }
            DEFAULT_PROFILE | EXPLICIT_DEFAULT_PROFILE => match selected {
                Some((name, variable)) => (name, variable, false),
                None => (DEFAULT_SECTION.to_owned(), "", false),
            },
            name => (name.to_owned(), "", true),
        };
        if (is_explicit || !origin.is_empty()) && !files.has_profile(&name) {
            return Err(missing_profile(&name, origin, &files));
        }
        Ok(Self {
            environment,
            files,
            profile: name,
            is_explicit,
            overrides,
        })
    }

    /// What the profile sets.
    pub(super) fn in_profile(&self, key: &str) -> Option<Located<'_>> {
        self.files
            .get(&self.profile, key)
            .filter(|it| !it.text.trim().is_empty())
    }

    /// The first variable that is set, else the profile's key.
    pub(super) fn setting(&self, variables: &[&str], key: &str) -> Option<Setting> {
        let of_environment = self.environment.first_of(variables);
        match of_environment {
            Some((name, value)) => Some(Setting {
                text: value.to_owned(),
                origin: name.to_owned(),
            }),
            None => self.in_profile(key).map(|it| Setting {
                text: it.text.to_owned(),
                origin: it.to_string(),
            }),
        }
    }

    /// The region that environment or profile set.
    ///
    /// # Errors
    /// It isn't the name of a region.
    pub(super) fn region(&self) -> Result<Option<Setting>, ProfileError> {
        let Some(setting) = self.setting(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region") else {
            return Ok(None);
        };
        if is_region_name(&setting.text) {
            Ok(Some(setting))
        } else {
            Err(invalid_region(&setting))
        }
    }

    /// The file of certificates to trust instead of the system's.
    pub(super) fn ca_bundle(&self) -> Option<Setting> {
        if let Some(path) = &self.overrides.ca_bundle {
            return Some(Setting {
                text: path.display().to_string(),
                origin: "--ca-bundle".to_owned(),
            });
        }
        self.setting(&["AWS_CA_BUNDLE"], "ca_bundle")
            .or_else(|| self.setting(&["REQUESTS_CA_BUNDLE"], ""))
    }

    /// The most attempts of a call, and whether the rate of calls adapts to throttling.
    ///
    /// # Errors
    /// A value is none of those that AWS documents.
    pub(super) fn retries(&self) -> Result<(Option<u32>, bool), ProfileError> {
        let attempts = self.number(&["AWS_MAX_ATTEMPTS"], "max_attempts")?;
        let mode = self.setting(&["AWS_RETRY_MODE"], "retry_mode");
        let is_adaptive = match mode.as_ref().map(|mode| mode.text.trim()) {
            None | Some("standard" | "legacy") => false,
            Some("adaptive") => true,
            Some(other) => {
                let origin = mode
                    .as_ref()
                    .map(|mode| mode.origin.as_str())
                    .unwrap_or_default();
                let message = format!(
                    "{origin}: expected `standard`, `adaptive` or `legacy`, found `{other}`"
                );
                return Err(ProfileError::new(message));
            }
        };
        Ok((attempts, is_adaptive))
    }

    /// A number of at least 1.
    pub(super) fn number(
        &self,
        variables: &[&str],
        key: &str,
    ) -> Result<Option<u32>, ProfileError> {
        let Some(setting) = self.setting(variables, key) else {
            return Ok(None);
        };
        match setting.text.trim().parse() {
            Ok(number @ 1..) => Ok(Some(number)),
            _ => {
                let message = format!(
                    "{}: expected a number of at least 1, found `{}`",
                    setting.origin, setting.text
                );
                Err(ProfileError::new(message))
            }
        }
    }

    pub(super) fn flag(&self, variables: &[&str], key: &str) -> Option<bool> {
        self.setting(variables, key)
            .map(|setting| is_true(&setting.text))
    }

    /// Which of AWS's endpoints the user wants.
    pub(super) fn endpoint_variant(&self) -> EndpointVariant {
        let is_set = |variable, key| self.flag(&[variable], key) == Some(true);
        EndpointVariant {
            fips: is_set("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
            dual_stack: is_set("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
        }
    }

    /// What the profile's `s3 =` block sets.
    ///
    /// # Errors
    /// The addressing style is none that AWS documents.
    pub(super) fn s3(&self) -> Result<S3Settings, ProfileError> {
        let nested = |key| self.files.get_nested(&self.profile, "s3", key);
        let addressing_style = match nested("addressing_style") {
            None => None,
            Some(style) => match style.text {
                "auto" | "" => None,
                "path" => Some(AddressingStyle::Path),
                "virtual" => Some(AddressingStyle::Virtual),
                other => {
                    let message =
                        format!("{style}: expected `auto`, `virtual` or `path`, found `{other}`");
                    return Err(ProfileError::new(message));
                }
            },
        };
        let is_set = |key| nested(key).is_some_and(|it| is_true(it.text));
        Ok(S3Settings {
            addressing_style,
            use_accelerate_endpoint: is_set("use_accelerate_endpoint"),
            use_dualstack_endpoint: is_set("use_dualstack_endpoint"),
        })
    }

    /// Where a service is when it isn't AWS: `service_id` is the API's own, such as `S3` or
    /// `SSO OIDC`.
    pub(super) fn endpoint(&self, service_id: &str) -> Option<Setting> {
        if let Some(url) = &self.overrides.endpoint_url {
            return Some(Setting {
                text: url.clone(),
                origin: "--endpoint-url".to_owned(),
            });
        }
        if self.flag(
            &["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"],
            "ignore_configured_endpoint_urls",
        ) == Some(true)
        {
            return None;
        }
        let service = service_id.replace(' ', "_");
        let variable = format!("AWS_ENDPOINT_URL_{}", service.to_uppercase());
        if let Some((name, url)) = self
            .environment
            .first_of(&[variable.as_str(), "AWS_ENDPOINT_URL"])
        {
            return Some(Setting {
                text: url.trim().to_owned(),
                origin: name.to_owned(),
            });
        }
        let of_service = self
            .files
            .service(&self.profile, &service.to_lowercase(), "endpoint_url");
        let found = of_service
            .filter(|it| !it.text.is_empty())
            .or_else(|| self.in_profile("endpoint_url"))?;
        Some(Setting {
            text: found.text.to_owned(),
            origin: found.to_string(),
        })
    }

    /// `profile dev (/home/u/.aws/config:3)`
    pub(super) fn described(&self) -> String {
        match self.files.place_of(&self.profile) {
            Some(place) => format!("profile `{}` ({place})", self.profile),
            None => format!("profile `{}`", self.profile),
        }
    }
}

/// botocore's `ensure_boolean`.
fn is_true(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("true")
}

/// botocore's `validate_region_name`.
fn is_region_name(text: &str) -> bool {
    let is_label = text.len() < 64
        && text
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || it == '-');
    is_label
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.chars().all(|it| it.is_ascii_digit())
}

fn invalid_region(setting: &Setting) -> ProfileError {
    let message = format!(
        "{}: {} is not the name of a region",
        setting.origin,
        shown(&setting.text)
    );
    let cleaned = setting.text.trim().trim_matches(['"', '\'']).trim();
    let error = ProfileError::new(message);
    match setting.text.contains(['"', '\'']) {
        true if is_region_name(cleaned) => error.help(format!("remove the quotes: {cleaned}")),
        _ if is_region_name(cleaned) => {
            error.help(format!("remove blanks and control characters: {cleaned}"))
        }
        _ => error.help("use a name such as us-east-1"),
    }
}

/// A value in quotes, control characters as escapes.
fn shown(text: &str) -> String {
    format!(
        "`{}`",
        text.escape_debug()
            .to_string()
            .replace("\\\"", "\"")
            .replace("\\'", "'")
    )
}

fn missing_profile(name: &str, variable: &str, files: &SharedConfig) -> ProfileError {
    let set_by = if variable.is_empty() {
        String::new()
    } else {
        format!(" (set by {variable})")
    };
    let message = format!(
        "profile {}{set_by} doesn't exist in {}",
        shown(name),
        searched(files)
    );
    ProfileError::new(message)
        .kind(ErrorKind::MissingProfile)
        .help(nearest_profile(name, files))
}

/// The two files, for a message.
pub(super) fn searched(files: &SharedConfig) -> String {
    let described = |path: &Path| {
        let missing = if path.exists() { "" } else { " (no such file)" };
        format!("{}{missing}", path.display())
    };
    format!(
        "{} or {}",
        described(&files.config_path),
        described(&files.credentials_path)
    )
}

/// What to do where a profile doesn't exist.
pub(super) fn nearest_profile(name: &str, files: &SharedConfig) -> String {
    let known = files.profiles();
    if known.is_empty() {
        format!("create it with `aws configure --profile {name}`")
    } else {
        did_you_mean_one_of(name, &known)
    }
}

#[cfg(test)]
mod tests {
    use super::super::environment::environment;
    use super::super::shared_config::of_texts;
    use super::*;

    const CONFIG: &str = "[default]\nregion = eu-west-1\nca_bundle = /c.pem\n[profile dev]\nregion \
        = \"eu-west-1\"\n\
                          max_attempts = x\nretry_mode = adaptive\nservices = s\nendpoint_url = \
                          http://g\ns3 =\n  \
                          addressing_style = path\n  use_dualstack_endpoint = True\n\
                          [services s]\nsso_oidc =\n  endpoint_url = http://o\n";

    fn select(profile: &str, variables: &[(&str, &str)]) -> Result<Settings, ProfileError> {
        let files = of_texts(CONFIG, "[other]\naws_access_key_id = a\n");
        Settings::select(profile, environment(variables), files, Overrides::default())
    }

    #[test]
    fn the_profile_is_the_one_asked_for_else_that_of_the_environment() {
        let check = |profile: &str, variables: &[(&str, &str)], expected: (&str, bool)| {
            let settings = select(profile, variables).unwrap();
            assert_eq!(
                (settings.profile.as_str(), settings.is_explicit),
                expected,
                "{profile} {variables:?}"
            );
        };
        check("default", &[], ("default", false));
        check("default", &[("AWS_PROFILE", "dev")], ("dev", false));
        check(
            "default",
            &[("AWS_PROFILE", "dev"), ("AWS_DEFAULT_PROFILE", "other")],
            ("other", false),
        );
        check("default", &[("AWS_PROFILE", "")], ("default", false));
        check(
            EXPLICIT_DEFAULT_PROFILE,
            &[("AWS_PROFILE", "dev")],
            ("default", true),
        );
        check("dev", &[("AWS_PROFILE", "other")], ("dev", true));
    }

    #[test]
    fn a_profile_that_does_not_exist_is_named_with_the_files_and_the_nearest() {
        let error = select("deb", &[]).unwrap_err();
        assert_eq!(
            error.message,
            "profile `deb` doesn't exist in config (no such file) or credentials (no such file)"
        );
        assert_eq!(error.help.as_deref(), Some("did you mean `dev`?"));
        let error = select("default", &[("AWS_PROFILE", "production")]).unwrap_err();
        assert!(
            error.message.contains("`production` (set by AWS_PROFILE)"),
            "{error}"
        );
        assert_eq!(
            error.help.as_deref(),
            Some("expected one of default, dev, other")
        );
    }

    #[test]
    fn regions_are_checked_where_they_are_set() {
        let check = |profile: &str, variables: &[(&str, &str)], expected: Result<&str, &str>| {
            let region = select(profile, variables).unwrap().region();
            let found = region
                .as_ref()
                .map(|it| it.as_ref().unwrap().text.as_str())
                .map_err(|it| it.message.as_str());
            assert_eq!(found, expected, "{variables:?}");
        };
        check("default", &[], Ok("eu-west-1"));
        check(
            "default",
            &[("AWS_DEFAULT_REGION", "us-west-2")],
            Ok("us-west-2"),
        );
        check(
            "dev",
            &[],
            Err("config:5: `\"eu-west-1\"` is not the name of a region"),
        );
        check(
            "dev",
            &[("AWS_REGION", "eu-west-1\r")],
            Err("AWS_REGION: `eu-west-1\\r` is not the name of a region"),
        );
    }

    #[test]
    fn the_environment_wins_over_the_profile() {
        let settings = select("dev", &[]).unwrap();
        assert_eq!(
            settings.retries().unwrap_err().message,
            "config:6: expected a number of at least 1, found `x`"
        );
        let s3 = settings.s3().unwrap();
        assert_eq!(
            (s3.addressing_style, s3.use_dualstack_endpoint),
            (Some(AddressingStyle::Path), true)
        );
        let endpoint = |settings: &Settings, service| {
            settings
                .endpoint(service)
                .map(|it| it.text)
                .unwrap_or_default()
        };
        assert_eq!(endpoint(&settings, "SSO OIDC"), "http://o");
        assert_eq!(endpoint(&settings, "S3"), "http://g");
        let variables = [
            ("AWS_MAX_ATTEMPTS", "2"),
            ("AWS_ENDPOINT_URL_S3", "http://v"),
            ("AWS_CA_BUNDLE", "/v.pem"),
        ];
        let settings = select("dev", &variables).unwrap();
        assert_eq!(settings.retries(), Ok((Some(2), true)));
        assert_eq!(
            (endpoint(&settings, "S3"), endpoint(&settings, "STS")),
            ("http://v".into(), "http://g".into())
        );
        assert_eq!(settings.ca_bundle().unwrap().text, "/v.pem");
        assert_eq!(
            select("default", &[("REQUESTS_CA_BUNDLE", "/r.pem")])
                .unwrap()
                .ca_bundle()
                .unwrap()
                .text,
            "/c.pem"
        );
        let settings = select("dev", &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]).unwrap();
        assert_eq!(endpoint(&settings, "S3"), "");
    }
}
