//! `credential_process`: a program that prints credentials
//! (<https://docs.aws.amazon.com/cli/v1/userguide/cli-configure-sourcing-external.html>). It is run
//! without a shell.

use std::process::Stdio;

use aws_credential_types::Credentials;
use serde_json::Value;
use tokio::process::Command;

use super::super::profile_error::ProfileError;
use super::super::settings::Settings;
use super::super::shared_config::{Located, words};
use super::{FoundCredentials, Loaded, is_over, time};
use crate::input;

/// So much of what the program says is repeated, in characters.
const LONGEST_MESSAGE: usize = 500;

/// Returns the credentials that the profile's program prints, if it has one.
pub(super) async fn load(settings: &Settings, profile: &str) -> Loaded {
    let Some(command) = settings.files.get(profile, "credential_process") else {
        return Ok(None);
    };
    let refused = |reason: String| {
        let message = format!("{command}: credential_process of profile `{profile}` {reason}");
        ProfileError::new(message)
    };
    let words = words::split(command.text)
        .map_err(|reason| refused(format!("cannot be split into words: {reason}")))?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(refused("is empty".to_owned()));
    };
    let run = Command::new(program)
        .args(arguments)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = run.await.map_err(|error| {
        let error = refused(format!(
            "cannot be run: `{program}`: {}",
            input::reason(&error)
        ));
        error.help(
            "it is run without a shell: write the program's full path, without ~, $VARIABLES, \
             pipes or quotes \
                    around the whole line",
        )
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(LONGEST_MESSAGE).collect();
        let said = if said.is_empty() {
            "it printed no error".to_owned()
        } else {
            said
        };
        return Err(refused(format!("failed ({}): {said}", output.status)));
    }
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let credentials = credentials(&answer).map_err(refused)?;
    Ok(Some(FoundCredentials {
        credentials,
        source: source(&command),
    }))
}

fn source(command: &Located<'_>) -> String {
    format!("credential_process ({command})")
}

/// # Errors
/// What is wrong with the answer. It may hold secrets, so it isn't repeated.
fn credentials(answer: &Value) -> Result<Credentials, String> {
    if !answer.is_object() {
        return Err("didn't print a JSON object".to_owned());
    }
    match &answer["Version"] {
        Value::Number(version) if version.as_u64() == Some(1) => {}
        Value::Null => return Err("printed no `Version`; expected 1".to_owned()),
        version => return Err(format!("printed the `Version` {version}; expected 1")),
    }
    let text = |key: &str| answer[key].as_str().filter(|it| !it.is_empty());
    let required = |key: &str| text(key).ok_or_else(|| format!("printed no `{key}`"));
    let expiry = match text("Expiration") {
        Some(text) => Some(
            time::parse(text).ok_or("printed an `Expiration` that is not a time in ISO 8601")?,
        ),
        None => None,
    };
    if is_over(expiry) {
        return Err(format!(
            "printed credentials that expired at {}",
            expiry.map(time::format).unwrap_or_default()
        ));
    }
    let token = text("SessionToken").map(str::to_owned);
    Ok(Credentials::new(
        required("AccessKeyId")?,
        required("SecretAccessKey")?,
        token,
        expiry,
        "process",
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_checked() {
        let check = |answer: Value, expected: Result<&str, &str>| {
            let found = credentials(&answer);
            let found = found
                .as_ref()
                .map(|it| it.access_key_id())
                .map_err(String::as_str);
            assert_eq!(found, expected, "{answer}");
        };
        check(
            json!({"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s"}),
            Ok("a"),
        );
        check(
            json!({"Version": 1, "AccessKeyId": "a"}),
            Err("printed no `SecretAccessKey`"),
        );
        check(
            json!({"Version": 2}),
            Err("printed the `Version` 2; expected 1"),
        );
        check(json!({}), Err("printed no `Version`; expected 1"));
        check(json!(null), Err("didn't print a JSON object"));
        let past = json!({"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s",
            "Expiration": "2020-01-01T00:00:00Z"});
        check(
            past,
            Err("printed credentials that expired at 2020-01-01T00:00:00Z"),
        );
    }
}
