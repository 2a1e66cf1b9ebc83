//! The names of parameters.

use crate::simulator::error::ServiceError;
use crate::simulator::json::{error, validation};

/// Checks the name of a parameter that is to be created.
///
/// # Errors
/// Fails with the service's error if the name is invalid.
pub(crate) fn check_name(name: &str) -> Result<(), ServiceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(validation(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a \
             path, it can consist of \
             sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, \
             numbers and the \
             following 3 symbols .-_",
        ));
    }
    let first = name
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if first.starts_with("aws") {
        return Err(error(
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        ));
    }
    if first.starts_with("ssm") {
        return Err(validation(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive).",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(validation("Parameter name must be a fully qualified name."));
    }
    Ok(())
}

/// Returns the name in a parameter's ARN.
pub(super) fn local_name(name: &str) -> &str {
    match name
        .strip_prefix("arn:")
        .and_then(|arn| arn.split_once(":parameter/"))
    {
        // In an ARN, names that are paths keep their leading slash.
        Some((_, rest)) if rest.contains('/') => {
            name.split_once(":parameter").map_or(rest, |(_, path)| path)
        }
        Some((_, rest)) => rest,
        None => name,
    }
}
