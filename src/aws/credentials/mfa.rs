//! MFA codes, and the sessions that were opened with one: they are kept where the AWS CLI keeps
//! them, so that whoever has given a code to one needn't give another to the other.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use tokio::sync::oneshot;

use super::super::profile_error::ProfileError;
use super::{cache, time};
use crate::input;

/// A session that ends sooner isn't used any more, as by botocore.
const SHORTEST_SESSION: Duration = Duration::from_secs(15 * 60);

/// Asks a person for the code of a device; `None` where there is no terminal, or no answer.
pub type MfaPrompt = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Where codes come from. Clones share what was asked.
#[derive(Clone, Default)]
pub struct Mfa {
    code: Arc<Mutex<Option<String>>>,
    prompt: Option<MfaPrompt>,
    asked: Arc<Mutex<HashSet<String>>>,
}

impl fmt::Debug for Mfa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mfa")
    }
}

impl Mfa {
    /// `code` is used for the first session that needs one.
    pub fn new(code: Option<String>, prompt: Option<MfaPrompt>) -> Self {
        Self {
            code: Arc::new(Mutex::new(code)),
            prompt,
            asked: Arc::default(),
        }
    }

    /// Returns the code for a device, once for each.
    ///
    /// # Errors
    /// Nobody can be asked, or it was asked for before: a session has ended while stacks were in
    /// progress.
    pub(super) async fn code(&self, serial: &str, role: &str) -> Result<String, ProfileError> {
        if !self
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(serial.to_owned())
        {
            let message = format!("the MFA session of role {role} has ended");
            return Err(ProfileError::new(message).help(
                "run again with a new code; duration_seconds in the profile sets a longer session",
            ));
        }
        let given = self
            .code
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (code, why) = match (given, self.prompt.clone()) {
            (Some(code), _) => (Some(code), "--mfa-code is empty"),
            (None, Some(prompt)) => {
                let serial = serial.to_owned();
                // A thread of its own: the process may end while nobody answers.
                let (answer, answered) = oneshot::channel();
                std::thread::spawn(move || answer.send(prompt(&serial)));
                (answered.await.ok().flatten(), "none was entered")
            }
            (None, None) => (None, "there is no terminal to ask on"),
        };
        let code = code
            .map(|code| code.trim().to_owned())
            .filter(|code| !code.is_empty());
        code.ok_or_else(|| {
            let message = format!("role {role} needs an MFA code of {serial}: {why}");
            ProfileError::new(message).help("pass it with --mfa-code CODE")
        })
    }
}

/// An open session in the cache of the AWS CLI.
pub(super) struct CachedSession {
    path: PathBuf,
}

impl CachedSession {
    /// `arguments` are those of AssumeRole but for code and generated session name; `folder` is
    /// `~/.aws/cli/cache`.
    pub(super) fn of(arguments: &[(&str, Value)], folder: PathBuf) -> Self {
        Self {
            path: folder.join(cache::name(Sha1::digest(python_json(arguments)))),
        }
    }

    /// Returns the session, if it lasts long enough.
    pub(super) fn read(&self) -> Option<Credentials> {
        let bytes = input::read(&self.path, input::DOCUMENT).ok()?;
        let cached: Value = serde_json::from_slice(&bytes).ok()?;
        let text = |key: &str| cached["Credentials"][key].as_str();
        let expiry = time::parse(text("Expiration")?)?;
        let left = expiry.duration_since(SystemTime::now()).ok()?;
        let token = text("SessionToken").map(str::to_owned);
        let credentials = Credentials::new(
            text("AccessKeyId")?,
            text("SecretAccessKey")?,
            token,
            Some(expiry),
            "cache",
        );
        (left >= SHORTEST_SESSION).then_some(credentials)
    }

    /// Writes the session for the user alone. A cache that can't be written costs another code, and
    /// no more.
    pub(super) fn write(&self, credentials: &Credentials, role: &str) {
        let expiry = credentials.expiry().map(time::format).unwrap_or_default();
        let account = role.split(':').nth(4).unwrap_or_default();
        let cached = json!({
            "Credentials": {
                "AccessKeyId": credentials.access_key_id(),
                "SecretAccessKey": credentials.secret_access_key(),
                "SessionToken": credentials.session_token(),
                // The form of botocore.
                "Expiration": expiry.replace('Z', "UTC"),
                "AccountId": account,
            },
        });
        cache::write(&self.path, &cached);
    }
}

/// `json.dumps(arguments, sort_keys=True)`; the arguments are sorted.
fn python_json(arguments: &[(&str, Value)]) -> String {
    let member =
        |(key, value): &(&str, Value)| format!("\"{key}\": {}", escaped(&value.to_string()));
    format!(
        "{{{}}}",
        arguments.iter().map(member).collect::<Vec<_>>().join(", ")
    )
}

/// Returns JSON in ASCII, as Python writes it.
fn escaped(json: &str) -> String {
    let mut escaped = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            character
                .encode_utf16(&mut units)
                .iter()
                .for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// The names are what botocore's `AssumeRoleCredentialFetcher._create_cache_key` returns for
    /// these arguments.
    #[test]
    fn sessions_are_kept_under_the_name_that_the_aws_cli_gives_them() {
        let role = "arn:aws:iam::123456789012:role/r";
        let serial = "arn:aws:iam::123456789012:mfa/m";
        let check = |arguments: &[(&str, Value)], json: &str, name: &str| {
            assert_eq!(python_json(arguments), json);
            let session = CachedSession::of(arguments, "c".into());
            assert_eq!(session.path.to_str().unwrap(), format!("c/{name}.json"));
        };
        check(
            &[("RoleArn", json!(role)), ("SerialNumber", json!(serial))],
            r#"{"RoleArn": "arn:aws:iam::123456789012:role/r", "SerialNumber": "arn:aws:iam::123456789012:mfa/m"}"#,
            "624cd0f400deac1f2a936fb1dc241bf2d89cf23f",
        );
        check(
            &[
                ("DurationSeconds", json!(3600)),
                ("ExternalId", json!("ü\"")),
                ("RoleArn", json!(role)),
            ],
            r#"{"DurationSeconds": 3600, "ExternalId": "\u00fc\"", "RoleArn": "arn:aws:iam::123456789012:role/r"}"#,
            "b9e594373adba15197002ffb0fb3612cc4b0bb43",
        );
    }

    #[test]
    fn a_session_is_read_again_until_it_nears_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let session = CachedSession::of(&[], folder.path().join("cache"));
        let role = "arn:aws:iam::123456789012:role/r";
        for (minutes, is_used) in [(60, true), (10, false)] {
            let expiry = Some(SystemTime::now() + Duration::from_secs(minutes * 60));
            session.write(
                &Credentials::new("a", "s", Some("t".to_owned()), expiry, "test"),
                role,
            );
            assert_eq!(session.read().is_some(), is_used, "{minutes}");
        }
        let mode = fs::metadata(&session.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&session.path).unwrap();
        assert!(
            text.contains("UTC\"") && text.contains(r#""AccountId":"123456789012""#),
            "{text}"
        );
    }
}
