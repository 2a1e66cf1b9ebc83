//! GitHub's credentials: a token, or a GitHub App that gets one. They are read from a secret, sent
//! in one header, and never shown.

use serde_json::{Map, Value};
use taskcat::mask::MASK;

use crate::app::App;

/// The keys under which a secret in JSON form holds the token, in the order in which they are
/// looked for. Case, dashes and underscores don't count.
const KEYS: [&str; 2] = ["token", "GITHUB_TOKEN"];

/// What a secret holds.
pub enum Credentials {
    Token(Token),
    App(App),
}

impl Credentials {
    /// From a `SecretString`: the token itself, or a JSON object that has it or the credentials of
    /// a GitHub App. What is wrong with another one is described without quoting it.
    pub fn of(secret: &str) -> Result<Self, String> {
        let secret = secret.trim();
        if !secret.starts_with('{') {
            return Token::of(secret).map(Self::Token);
        }
        let Ok(object) = serde_json::from_str::<Map<String, Value>>(secret) else {
            return Err("starts like JSON, but isn't".to_owned());
        };
        let find = |names: &[&str]| names.iter().find_map(|name| value_of(&object, name));
        if let Some(key) = find(&["privateKey", "pem"]) {
            let id = find(&["appId", "clientId"]).ok_or("has a private key, but no `appId`")?;
            return App::new(id, key, find(&["installationId"])).map(Self::App);
        }
        match find(&KEYS) {
            Some(Value::String(token)) => Token::of(token).map(Self::Token),
            Some(_) => Err("has a token that isn't a string".to_owned()),
            None => Err(format!(
                "is JSON without the key {}",
                KEYS.map(|key| format!("`{key}`")).join(" or ")
            )),
        }
    }
}

/// The value of a key, however it is written: `GITHUB_TOKEN`, `githubToken`.
fn value_of<'o>(object: &'o Map<String, Value>, name: &str) -> Option<&'o Value> {
    let plain = |key: &str| key.replace(['_', '-'], "").to_lowercase();
    object
        .iter()
        .find(|(key, _)| plain(key) == plain(name))
        .map(|(_, value)| value)
}

/// A token. It has neither `Debug` nor `Display`, so that it isn't printed by mistake.
pub struct Token(String);

impl Token {
    /// What is wrong with another text is described without quoting it.
    pub fn of(token: &str) -> Result<Self, String> {
        match token.trim() {
            "" => Err("is empty".to_owned()),
            token if token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self(token.to_owned()))
            }
            _ => Err(
                "holds something that cannot be a token: it has spaces, line breaks or letters \
                    beyond ASCII"
                    .to_owned(),
            ),
        }
    }

    /// The value of the header `Authorization`.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// The text, with stars where the token was.
    pub fn masked(&self, text: &str) -> String {
        text.replace(&self.0, MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_plain_or_in_json() {
        let check = |secret: &str, expect: Result<&str, &str>| {
            let read = Credentials::of(secret).map(|read| match read {
                Credentials::Token(token) => token.0,
                Credentials::App(_) => panic!("{secret}"),
            });
            assert_eq!(
                read,
                expect.map(str::to_owned).map_err(str::to_owned),
                "{secret}"
            );
        };
        check("ghp_1234", Ok("ghp_1234"));
        check(" ghp_1234\n", Ok("ghp_1234"));
        check(r#"{"token": "ghp_1234", "user": "x"}"#, Ok("ghp_1234"));
        check(r#"{"GITHUB_TOKEN": "ghp_1234"}"#, Ok("ghp_1234"));
        check(
            r#"{"GITHUB_TOKEN": "second", "token": "first"}"#,
            Ok("first"),
        );
        check(r#"{"Token": "ghp_1234"}"#, Ok("ghp_1234"));
        check(r#"{"github-token": "ghp_1234"}"#, Ok("ghp_1234"));
        check(
            r#"{"privateKey": "x"}"#,
            Err("has a private key, but no `appId`"),
        );
        check(
            r#"{"app_id": 1, "private_key": "x"}"#,
            Err("has a private key that isn't an RSA key in PEM form"),
        );
        check("", Err("is empty"));
        check(r#"{"token": ""}"#, Err("is empty"));
        check(
            r#"{"token": 12345}"#,
            Err("has a token that isn't a string"),
        );
        check(
            r#"{"tokn": "ghp_1234"}"#,
            Err("is JSON without the key `token` or `GITHUB_TOKEN`"),
        );
        check(
            r#"{"token": "ghp_1234""#,
            Err("starts like JSON, but isn't"),
        );
        let strange = "holds something that cannot be a token: it has spaces, line breaks or \
            letters beyond ASCII";
        check("user ghp_1234", Err(strange));
        check("ghp_1234\r\nX-Evil: 1", Err(strange));
    }

    #[test]
    fn a_token_is_masked_wherever_it_stands() {
        let token = Token::of("ghp_1234").unwrap();
        assert_eq!(
            token.masked("Bearer ghp_1234: ghp_1234!"),
            "Bearer ****: ****!"
        );
        assert_eq!(token.masked("nothing"), "nothing");
    }
}
