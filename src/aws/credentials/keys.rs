//! Keys as they are: in the environment, in the two files, and in the files of AWS's first tools.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_credential_types::Credentials;

use super::super::environment::Environment;
use super::super::profile_error::ProfileError;
use super::super::settings::Settings;
use super::super::shared_config::{ConfigFile, Located};
use super::{FoundCredentials, Loaded, is_over, time};
use crate::input;

/// The token's variables and keys, the first that is set counts.
const TOKEN_VARIABLES: [&str; 2] = ["AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"];
const TOKEN_KEYS: [&str; 2] = ["aws_security_token", "aws_session_token"];

/// An access key's parts with what sets them.
struct Parts<'a> {
    id: (&'a str, String),
    secret: (&'a str, String),
    token: Option<(&'a str, String)>,
    expiry: Option<SystemTime>,
}

impl Parts<'_> {
    /// # Errors
    /// A part has characters that no request can carry.
    fn credentials(self, provider: &'static str) -> Result<Credentials, ProfileError> {
        let parts = [Some(&self.id), Some(&self.secret), self.token.as_ref()];
        for (value, origin) in parts.into_iter().flatten() {
            if let Some(character) = value.chars().find(|it| !it.is_ascii_graphic()) {
                let message = format!(
                    "{origin} has a character that no access key has: `{}`",
                    character.escape_debug()
                );
                return Err(
                    ProfileError::new(message).help("set it again without blanks and line ends")
                );
            }
        }
        let token = self.token.map(|(token, _)| token.to_owned());
        Ok(Credentials::new(
            self.id.0,
            self.secret.0,
            token,
            self.expiry,
            provider,
        ))
    }
}

/// Returns the keys that variables set.
pub(super) fn of_environment(environment: &Environment) -> Loaded {
    const ID: &str = "AWS_ACCESS_KEY_ID";
    const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
    const EXPIRY: &str = "AWS_CREDENTIAL_EXPIRATION";
    let Some(id) = environment.get(ID) else {
        return Ok(None);
    };
    let Some(secret) = environment.get(SECRET) else {
        return Err(ProfileError::new(format!("{ID} is set, but not {SECRET}"))
            .help(format!("set both, or unset {ID}")));
    };
    let token = environment
        .first_of(&TOKEN_VARIABLES)
        .map(|(name, value)| (value, name.to_owned()));
    let expiry = environment.get(EXPIRY).and_then(time::parse);
    if is_over(expiry) {
        let message = format!("the credentials in the environment have expired ({EXPIRY})");
        return Err(ProfileError::new(message).help("export new ones"));
    }
    let parts = Parts {
        id: (id, ID.to_owned()),
        secret: (secret, SECRET.to_owned()),
        token,
        expiry,
    };
    let credentials = parts.credentials("environment")?;
    Ok(Some(FoundCredentials {
        credentials,
        source: format!("environment variables ({ID})"),
    }))
}

/// Returns the profile's keys in the credentials file.
pub(super) fn of_credentials_file(settings: &Settings, profile: &str) -> Loaded {
    of_file(settings, ConfigFile::Credentials, profile)
}

/// Returns the profile's keys in the configuration file.
pub(super) fn of_config_file(settings: &Settings, profile: &str) -> Loaded {
    of_file(settings, ConfigFile::Config, profile)
}

fn of_file(settings: &Settings, file: ConfigFile, profile: &str) -> Loaded {
    let get = |key| settings.files.get_in(file, profile, key);
    let Some(id) = get("aws_access_key_id") else {
        return Ok(None);
    };
    let Some(secret) = get("aws_secret_access_key") else {
        let message = format!(
            "{id}: profile `{profile}` has `aws_access_key_id`, but no `aws_secret_access_key`"
        );
        return Err(ProfileError::new(message).help("set both in the same profile and file"));
    };
    let part = |key: &str, at: Located<'_>| format!("{at}: `{key}`");
    for (key, at) in [("aws_access_key_id", id), ("aws_secret_access_key", secret)] {
        if at.text.is_empty() {
            return Err(ProfileError::new(format!("{} is empty", part(key, at))));
        }
    }
    let token = TOKEN_KEYS
        .into_iter()
        .find_map(|key| Some((key, get(key)?)));
    let parts = Parts {
        id: (id.text, part("aws_access_key_id", id)),
        secret: (secret.text, part("aws_secret_access_key", secret)),
        token: token
            .filter(|(_, at)| !at.text.is_empty())
            .map(|(key, at)| (at.text, part(key, at))),
        expiry: None,
    };
    Ok(Some(FoundCredentials {
        credentials: parts.credentials("profile")?,
        source: id.to_string(),
    }))
}

/// `AWS_CREDENTIAL_FILE` of the first EC2 tools, and boto 2's configuration.
pub(super) fn of_old_files(environment: &Environment) -> Loaded {
    if let Some(path) = environment.get("AWS_CREDENTIAL_FILE") {
        let path = environment.expanded_path(path);
        return of_lines(&path, "AWSAccessKeyId", "AWSSecretKey", None);
    }
    let paths = match environment.get("BOTO_CONFIG") {
        Some(path) => vec![environment.expanded_path(path)],
        None => vec![PathBuf::from("/etc/boto.cfg"), environment.in_home(".boto")],
    };
    for path in paths {
        let found = of_lines(
            &path,
            "aws_access_key_id",
            "aws_secret_access_key",
            Some("[Credentials]"),
        )?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// `key = value` in a section, or anywhere.
fn of_lines(path: &Path, id: &str, secret: &str, section: Option<&str>) -> Loaded {
    let Some(text) = input::text(path) else {
        return Ok(None);
    };
    let mut is_inside = section.is_none();
    let mut found = [None, None];
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            is_inside = section.is_none_or(|section| line.trim() == section);
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_inside) else {
            continue;
        };
        let origin = || format!("{}:{}: `{}`", path.display(), index + 1, key.trim());
        match key.trim() {
            key if key == id => found[0] = Some((value.trim(), origin())),
            key if key == secret => found[1] = Some((value.trim(), origin())),
            _ => {}
        }
    }
    match found {
        [Some(id), Some(secret)] => {
            let parts = Parts {
                id,
                secret,
                token: None,
                expiry: None,
            };
            Ok(Some(FoundCredentials {
                credentials: parts.credentials("file")?,
                source: path.display().to_string(),
            }))
        }
        [None, _] => Ok(None),
        [Some((_, origin)), None] => Err(ProfileError::new(format!(
            "{origin} is set, but not `{secret}`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::environment;
    use super::*;

    #[test]
    fn keys_of_the_environment_come_with_their_token() {
        let check = |variables: &[(&str, &str)], expected: Result<Option<&str>, &str>| {
            let found = of_environment(&environment(variables));
            let found = found.as_ref().map(|it| {
                it.as_ref()
                    .map(|it| it.credentials.session_token().unwrap_or("-"))
            });
            assert_eq!(
                found.map_err(|it| it.message.as_str()),
                expected,
                "{variables:?}"
            );
        };
        let keys = [
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ];
        let with = |more: &[(&'static str, &'static str)]| [&keys[..], more].concat();
        check(&[], Ok(None));
        check(&[("AWS_ACCESS_KEY_ID", "")], Ok(None));
        check(&keys, Ok(Some("-")));
        check(&with(&[("AWS_SESSION_TOKEN", "new")]), Ok(Some("new")));
        check(
            &with(&[("AWS_SESSION_TOKEN", "new"), ("AWS_SECURITY_TOKEN", "old")]),
            Ok(Some("old")),
        );
        check(
            &keys[..1],
            Err("AWS_ACCESS_KEY_ID is set, but not AWS_SECRET_ACCESS_KEY"),
        );
        let error = "AWS_ACCESS_KEY_ID has a character that no access key has: `\\r`";
        check(&[("AWS_ACCESS_KEY_ID", "AKIA\r"), keys[1]], Err(error));
        let error = "the credentials in the environment have expired (AWS_CREDENTIAL_EXPIRATION)";
        check(
            &with(&[("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")]),
            Err(error),
        );
    }
}
