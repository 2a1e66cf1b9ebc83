//! The action's `UserParameters`: JSON that the pipeline's author writes, checked whole before
//! anything is called.

use http::Uri;
use serde_json::{Map, Value};

/// GitHub itself; GitHub Enterprise Server has `https://HOST/api/v3`.
const GITHUB: &str = "https://api.github.com";

const KEYS: [&str; 9] = [
    "owner",
    "repo",
    "baseBranch",
    "headBranch",
    "secretsManagerArn",
    "apiUrl",
    "commit",
    "allowMoved",
    "allowUntested",
];

#[derive(Debug, PartialEq, Eq)]
pub struct UserParameters {
    pub owner: String,
    pub repo: String,
    /// The release branch, which receives.
    pub base_branch: String,
    /// The source branch, whose commit was tested.
    pub head_branch: String,
    pub secret: Secret,
    pub api: Api,
    /// The tested commit, where the parameters name it.
    pub commit: Option<String>,
    /// Whether the tested commit is merged though its branch has moved on.
    pub allow_moved: bool,
    /// Whether a release branch is passed on that has the commit already, but with files that were
    /// not tested.
    pub allow_untested: bool,
}

/// Where the token is.
#[derive(Debug, PartialEq, Eq)]
pub struct Secret {
    pub arn: String,
    pub region: String,
}

/// Where GitHub's API is: `https://ghe.example.com` and `/api/v3`, without a slash at the end.
#[derive(Debug, PartialEq, Eq)]
pub struct Api {
    pub origin: String,
    pub path: String,
}

impl UserParameters {
    /// All that is wrong, not the first fault alone. Values are not repeated: who mixes them up may
    /// have put a token in the wrong place.
    pub fn of(text: Option<&str>) -> Result<Self, Vec<String>> {
        let Some(text) = text else {
            return Err(vec![format!(
                "there are none; they are a JSON object with the keys {}",
                KEYS[..5].join(", ")
            )]);
        };
        let object = match serde_json::from_str(text) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(vec!["they are JSON, but not an object".to_owned()]),
            Err(error) => {
                let line = error.line();
                let column = error.column();
                return Err(vec![format!(
                    "they are not valid JSON: line {line}, column {column}"
                )]);
            }
        };
        let mut reader = ParameterReader {
            object: &object,
            faults: object.keys().filter_map(|key| unknown(key)).collect(),
        };
        let read = reader.parameters();
        if reader.faults.is_empty() {
            Ok(read)
        } else {
            Err(reader.faults)
        }
    }
}

struct ParameterReader<'o> {
    object: &'o Map<String, Value>,
    faults: Vec<String>,
}

impl ParameterReader<'_> {
    /// With empty texts where there are faults.
    fn parameters(&mut self) -> UserParameters {
        let owner = self.required(
            "owner",
            "is not the name of a GitHub user or organisation",
            is_name,
        );
        let repo = self.required(
            "repo",
            "is not the name of a repository (without its owner and `.git`)",
            is_name,
        );
        let base_branch = self.required("baseBranch", "is not the name of a branch", is_branch);
        let head_branch = self.required("headBranch", "is not the name of a branch", is_branch);
        if !base_branch.is_empty() && base_branch == head_branch {
            self.faults
                .push("`baseBranch` and `headBranch` are the same branch".to_owned());
        }
        let arn = self.required("secretsManagerArn", "is not the ARN of a secret", |text| {
            region_of(text).is_some()
        });
        let api = self.text("apiUrl").unwrap_or_else(|| GITHUB.to_owned());
        let api = Api::of(&api).unwrap_or_else(|fault| {
            self.faults.push(format!("`apiUrl` {fault}"));
            Api {
                origin: String::new(),
                path: String::new(),
            }
        });
        let commit = self.text("commit").filter(|commit| !commit.is_empty());
        if let Some(fault) = commit.as_deref().and_then(not_a_commit) {
            self.faults.push(format!("`commit` {fault}"));
        }
        UserParameters {
            owner,
            repo,
            base_branch,
            head_branch,
            secret: Secret {
                region: region_of(&arn).unwrap_or_default().to_owned(),
                arn,
            },
            api,
            commit: commit.map(|commit| commit.to_ascii_lowercase()),
            allow_moved: self.flag("allowMoved"),
            allow_untested: self.flag("allowUntested"),
        }
    }

    fn required(&mut self, key: &str, fault: &str, is_valid: impl Fn(&str) -> bool) -> String {
        if !self.object.contains_key(key) {
            self.faults.push(format!("`{key}` is missing"));
        }
        let Some(text) = self.text(key) else {
            return String::new();
        };
        if is_valid(&text) {
            return text;
        }
        self.faults.push(format!(
            "`{key}` {}",
            if text.is_empty() { "is empty" } else { fault }
        ));
        String::new()
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.object.get(key)? {
            Value::String(text) => Some(text.trim().to_owned()),
            _ => {
                self.faults.push(format!("`{key}` is not a string"));
                None
            }
        }
    }

    /// As text too: who fills JSON with `Fn::Sub` has nothing else.
    fn flag(&mut self, key: &str) -> bool {
        match self.object.get(key) {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" => false,
            Some(_) => {
                self.faults
                    .push(format!("`{key}` is neither true nor false"));
                false
            }
        }
    }
}

impl Api {
    /// The token is sent there, so the way must be encrypted, unless it doesn't leave the machine.
    fn of(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_| "is not a URL")?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("is not a URL");
        };
        let is_local = matches!(authority.host(), "127.0.0.1" | "localhost" | "[::1]");
        match scheme {
            "https" => {}
            "http" if is_local => {}
            _ => return Err("must begin with https://: a token is sent there"),
        }
        if authority.as_str().contains('@') || uri.query().is_some() || url.contains('#') {
            return Err("must have a host and a path only");
        }
        let authority = authority.as_str().to_ascii_lowercase();
        Ok(Self {
            origin: format!("{scheme}://{authority}"),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

/// What keeps a text from being the id of a commit, if anything does.
pub fn not_a_commit(text: &str) -> Option<&'static str> {
    if text.starts_with("#{") {
        return Some(
            "is a variable that CodePipeline did not replace: the source action needs this \
             `Namespace`, and must have a variable of this name (`CommitId`)",
        );
    }
    let is_id = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!is_id).then_some("is not the full id of a commit (40 hexadecimal digits)")
}

/// The fault of a key that there isn't.
fn unknown(key: &str) -> Option<String> {
    if KEYS.contains(&key) {
        return None;
    }
    let likeness = |known: &&str| strsim::jaro_winkler(&key.to_lowercase(), &known.to_lowercase());
    let nearest = KEYS
        .into_iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    // A key is as long as its author likes, and a token pasted as one is longer than any of these.
    let shown: String = key.chars().take(20).collect();
    Some(match nearest.filter(|known| likeness(known) > 0.85) {
        Some(known) => format!("`{shown}` is unknown (did you mean `{known}`?)"),
        None => format!("`{shown}` is unknown"),
    })
}

/// Of owners and repositories.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !matches!(text, "" | "." | "..") && text.len() <= 100 && text.bytes().all(allowed)
}

/// As far as git's own rules keep texts apart that aren't meant as branches.
fn is_branch(text: &str) -> bool {
    let forbidden =
        |letter: char| letter.is_whitespace() || letter.is_control() || "~^:?*[\\".contains(letter);
    let shape = !text.is_empty() && !text.starts_with(['/', '-']) && !text.ends_with(['/', '.']);
    shape
        && text.len() <= 250
        && !text.starts_with("refs/")
        && !text.contains("..")
        && !text.contains(forbidden)
}

/// `arn:aws:secretsmanager:us-east-1:123456789012:secret:name-AbCdEf`
fn region_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    match parts[..] {
        ["arn", _, "secretsmanager", region, _, "secret", name]
            if !region.is_empty() && !name.is_empty() =>
        {
            Some(region)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn valid() -> Value {
        json!({
            "owner": "acme", "repo": "shop.templates", "baseBranch": "release", "headBranch": "feature/orders",
            "secretsManagerArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:github-AbCdEf",
        })
    }

    /// The valid parameters with others on top; `null` takes one away.
    fn with(changes: Value) -> Result<UserParameters, Vec<String>> {
        let mut parameters = valid();
        for (key, value) in changes.as_object().unwrap() {
            parameters[key] = value.clone();
        }
        parameters
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        UserParameters::of(Some(&parameters.to_string()))
    }

    #[test]
    fn five_keys_are_enough() {
        let read = with(json!({})).unwrap();
        assert_eq!(read.head_branch, "feature/orders");
        assert_eq!(read.secret.region, "eu-west-1");
        assert_eq!(
            read.api,
            Api {
                origin: "https://api.github.com".into(),
                path: String::new()
            }
        );
        assert_eq!((read.commit, read.allow_moved), (None, false));
    }

    #[test]
    fn the_others_are_read_too() {
        let commit = "ABCDEF0123456789abcdef0123456789abcdef01";
        let read = with(json!({"commit": commit, "allowMoved": "true",
                "apiUrl": "https://GHE.example.com/api/v3/"}));
        let read = read.unwrap();
        assert_eq!(read.commit, Some(commit.to_lowercase()));
        assert!(read.allow_moved);
        assert_eq!(
            read.api,
            Api {
                origin: "https://ghe.example.com".into(),
                path: "/api/v3".into()
            }
        );
        assert_eq!(with(json!({"commit": ""})).unwrap().commit, None);
    }

    #[test]
    fn each_fault_is_named_without_the_value() {
        let check = |changes: Value, expect: &[&str]| {
            assert_eq!(with(changes.clone()).unwrap_err(), expect, "{changes}")
        };
        check(
            json!({"owner": null, "repo": ""}),
            &["`owner` is missing", "`repo` is empty"],
        );
        check(
            json!({"owner": "acme/shop"}),
            &["`owner` is not the name of a GitHub user or organisation"],
        );
        check(
            json!({"repo": ".."}),
            &["`repo` is not the name of a repository (without its owner and `.git`)"],
        );
        check(
            json!({"headBranch": "release"}),
            &["`baseBranch` and `headBranch` are the same branch"],
        );
        for branch in ["refs/heads/x", "a b", "a..b", "x/", "/x", "a\nb"] {
            check(
                json!({"headBranch": branch}),
                &["`headBranch` is not the name of a branch"],
            );
        }
        check(
            json!({"secretsManagerArn": "ghp_pasted"}),
            &["`secretsManagerArn` is not the ARN of a secret"],
        );
        check(
            json!({"commit": "abc"}),
            &["`commit` is not the full id of a commit (40 hexadecimal digits)"],
        );
        check(
            json!({"allowMoved": "yes"}),
            &["`allowMoved` is neither true nor false"],
        );
        check(json!({"baseBranch": 1}), &["`baseBranch` is not a string"]);
        let encrypted = "`apiUrl` must begin with https://: a token is sent there";
        check(json!({"apiUrl": "http://api.github.com"}), &[encrypted]);
        check(
            json!({"apiUrl": "api.github.com"}),
            &["`apiUrl` is not a URL"],
        );
        check(
            json!({"apiUrl": "https://me:pw@host"}),
            &["`apiUrl` must have a host and a path only"],
        );
        check(
            json!({"comit": "x", "hook": 1}),
            &[
                "`comit` is unknown (did you mean `commit`?)",
                "`hook` is unknown",
            ],
        );
        let variable = with(json!({"commit": "#{Source.CommitId}"})).unwrap_err();
        assert!(
            variable[0].starts_with("`commit` is a variable that CodePipeline did not replace"),
            "{variable:?}"
        );
    }

    #[test]
    fn what_is_no_object_is_one_fault() {
        let check = |text: Option<&str>, expect: &str| {
            assert_eq!(UserParameters::of(text).unwrap_err(), [expect])
        };
        check(
            None,
            "there are none; they are a JSON object with the keys owner, repo, baseBranch, \
             headBranch, secretsManagerArn",
        );
        check(Some("[]"), "they are JSON, but not an object");
        check(
            Some("{\"owner\": \"a\",\n  x}"),
            "they are not valid JSON: line 2, column 3",
        );
    }
}
