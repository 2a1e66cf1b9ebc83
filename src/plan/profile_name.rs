//! Names of profiles in plans, journals and calls.

use crate::config::TestConfig;

/// The profile that stands for boto3's default credential chain: variables, the default profile,
/// SSO, container and instance roles. TaskCat uses the same name.
pub const DEFAULT_PROFILE: &str = "default";

/// The section `[default]` of the files, for an explicitly requested profile `default`: environment
/// variables don't count.
pub const EXPLICIT_DEFAULT_PROFILE: &str = "[default]";

/// Returns the internal name of an explicitly requested profile.
pub fn explicit_profile(name: &str) -> &str {
    if name == DEFAULT_PROFILE {
        EXPLICIT_DEFAULT_PROFILE
    } else {
        name
    }
}

/// Returns the profile of a test in a region.
pub fn profile_of<'a>(test: &'a TestConfig, region: &str) -> &'a str {
    test.profile(region)
        .map_or(DEFAULT_PROFILE, explicit_profile)
}

/// Returns the profile's name for other programs; `None` for the default credential chain.
pub fn profile_argument(profile: &str) -> Option<&str> {
    match profile {
        DEFAULT_PROFILE => None,
        EXPLICIT_DEFAULT_PROFILE => Some(DEFAULT_PROFILE),
        name => Some(name),
    }
}
