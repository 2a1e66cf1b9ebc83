//! Passwords as a secret's `GenerateSecretString` describes them
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-secretsmanager-secret-generatesecretstring.html>).

use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::Value as Json;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const LENGTH: usize = 32;
const MAX_LENGTH: usize = 4096;

/// Returns a new password; an empty one if all characters are excluded.
pub(super) fn generate(wanted: &Json) -> String {
    let flag = |name: &str| match &wanted[name] {
        Json::Bool(value) => Some(*value),
        Json::String(text) => Some(text.eq_ignore_ascii_case("true")),
        _ => None,
    };
    let excluded = |name: &str| flag(name).unwrap_or_default();
    let kinds = [
        (LOWER, !excluded("ExcludeLowercase")),
        (UPPER, !excluded("ExcludeUppercase")),
        (DIGITS, !excluded("ExcludeNumbers")),
        (PUNCTUATION, !excluded("ExcludePunctuation")),
        (" ", flag("IncludeSpace").unwrap_or_default()),
    ];
    let without = wanted["ExcludeCharacters"].as_str().unwrap_or_default();
    let left = |kind: &str| {
        kind.chars()
            .filter(|c| !without.contains(*c))
            .collect::<Vec<char>>()
    };
    let kinds: Vec<Vec<char>> = kinds
        .iter()
        .filter(|(_, used)| *used)
        .map(|(kind, _)| left(kind))
        .collect();
    let kinds: Vec<Vec<char>> = kinds.into_iter().filter(|kind| !kind.is_empty()).collect();
    let length = match &wanted["PasswordLength"] {
        Json::Number(number) => number
            .as_u64()
            .and_then(|length| usize::try_from(length).ok()),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    let length = length.unwrap_or(LENGTH).min(MAX_LENGTH);
    let mut rng = rand::rng();
    let all = kinds.concat();
    let mut password: Vec<char> = if flag("RequireEachIncludedType").unwrap_or(true) {
        kinds
            .iter()
            .filter_map(|kind| kind.choose(&mut rng).copied())
            .take(length)
            .collect()
    } else {
        Vec::new()
    };
    while password.len() < length {
        let Some(letter) = all.choose(&mut rng) else {
            break;
        };
        password.push(*letter);
    }
    password.shuffle(&mut rng);
    password.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn passwords_meet_their_requirements() {
        let check = |wanted: Json, length: usize, allowed: &str, with: &[&str]| {
            let password = generate(&wanted);
            assert_eq!(password.chars().count(), length, "{wanted}");
            assert!(
                password.chars().all(|c| allowed.contains(c)),
                "{wanted} {password}"
            );
            assert!(
                with.iter()
                    .all(|kind| password.contains(|c| kind.contains(c))),
                "{wanted} {password}"
            );
        };
        let every = [LOWER, UPPER, DIGITS, PUNCTUATION].concat();
        check(json!({}), 32, &every, &[LOWER, UPPER, DIGITS, PUNCTUATION]);
        let letters = [LOWER, UPPER].concat();
        check(
            json!({"PasswordLength": "8", "ExcludeNumbers": true, "ExcludePunctuation": "true"}),
            8,
            &letters,
            &[LOWER, UPPER],
        );
        let few = json!({"PasswordLength": 9, "ExcludeLowercase": true, "ExcludeUppercase": true,
            "ExcludePunctuation": true, "ExcludeCharacters": "012345678"});
        check(few, 9, "9", &[]);
        check(
            json!({"PasswordLength": 12, "IncludeSpace": true}),
            12,
            &format!("{every} "),
            &[" "],
        );
    }
}
