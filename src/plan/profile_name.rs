//! Names of profiles as plans, journals and calls carry them.

use crate::config::TestConfig;

/// The profile that means "whatever the environment offers": variables, the default profile, SSO,
/// container and instance roles, in boto3's order. TaskCat gives it the same name.
pub const DEFAULT_PROFILE: &str = "default";

/// The section `[default]` of the files, where somebody asks for a profile `default`: keys in the
/// environment don't count.
pub const EXPLICIT_DEFAULT_PROFILE: &str = "[default]";

/// Returns the name to carry for a profile that somebody asks for.
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

/// Returns the profile's name as other programs take it; `None` for what the environment offers.
pub fn profile_argument(profile: &str) -> Option<&str> {
    match profile {
        DEFAULT_PROFILE => None,
        EXPLICIT_DEFAULT_PROFILE => Some(DEFAULT_PROFILE),
        name => Some(name),
    }
}
