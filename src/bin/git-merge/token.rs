//! The token that opens GitHub: read from a secret, sent in one header, and shown nowhere.

use serde_json::Value;
use taskcat::mask::MASK;

/// The keys under which a secret in JSON form holds the token, in the order in which they are looked for.
const KEYS: [&str; 2] = ["token", "GITHUB_TOKEN"];

/// Neither `Debug` nor `Display`: what can't be printed isn't printed by mistake.
pub struct Token(String);

impl Token {
    /// From a `SecretString`: the token itself, or a JSON object that has it. What is wrong with another one is told
    /// without a letter of it.
    pub fn of(secret: &str) -> Result<Self, String> {
        let secret = secret.trim();
        let token = if secret.starts_with('{') { in_json(secret)? } else { secret.to_owned() };
        match token.trim() {
            "" => Err("is empty".to_owned()),
            token if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(token.to_owned())),
            _ => {
                Err("holds something that can't be a token: it has spaces, line breaks or letters beyond ASCII"
                    .to_owned())
            }
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

fn in_json(secret: &str) -> Result<String, String> {
    let Ok(object) = serde_json::from_str::<Value>(secret) else {
        return Err("starts like JSON, but isn't".to_owned());
    };
    match KEYS.into_iter().find_map(|key| object.get(key)) {
        Some(Value::String(token)) => Ok(token.clone()),
        Some(_) => Err("has a token that isn't a string".to_owned()),
        None => Err(format!("is JSON without the key {}", KEYS.map(|key| format!("`{key}`")).join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_plain_or_in_json() {
        let check = |secret: &str, expect: Result<&str, &str>| {
            let read = Token::of(secret).map(|token| token.0);
            assert_eq!(read, expect.map(str::to_owned).map_err(str::to_owned), "{secret}");
        };
        check("ghp_1234", Ok("ghp_1234"));
        check(" ghp_1234\n", Ok("ghp_1234"));
        check(r#"{"token": "ghp_1234", "user": "x"}"#, Ok("ghp_1234"));
        check(r#"{"GITHUB_TOKEN": "ghp_1234"}"#, Ok("ghp_1234"));
        check(r#"{"GITHUB_TOKEN": "second", "token": "first"}"#, Ok("first"));
        check("", Err("is empty"));
        check(r#"{"token": ""}"#, Err("is empty"));
        check(r#"{"token": 12345}"#, Err("has a token that isn't a string"));
        check(r#"{"tokn": "ghp_1234"}"#, Err("is JSON without the key `token` or `GITHUB_TOKEN`"));
        check(r#"{"token": "ghp_1234""#, Err("starts like JSON, but isn't"));
        let strange = "holds something that can't be a token: it has spaces, line breaks or letters beyond ASCII";
        check("user ghp_1234", Err(strange));
        check("ghp_1234\r\nX-Evil: 1", Err(strange));
    }

    #[test]
    fn a_token_is_masked_wherever_it_stands() {
        let token = Token::of("ghp_1234").unwrap();
        assert_eq!(token.masked("Bearer ghp_1234: ghp_1234!"), "Bearer ****: ****!");
        assert_eq!(token.masked("nothing"), "nothing");
    }
}
