//! Bucket policies: what they allow callers other than the owner.

use s3s::S3Result;
use serde_json::Value as Json;

use super::super::scenario::matches_wildcard;
use super::refusal;

/// A policy's text, and its `Allow` statements.
#[derive(Clone, Debug)]
pub(super) struct BucketPolicy {
    pub text: String,
    allows: Vec<BucketPolicyStatement>,
}

#[derive(Clone, Debug)]
struct BucketPolicyStatement {
    /// ARNs or account IDs; `*` is anybody.
    principals: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: PolicyCondition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PolicyCondition {
    None,
    /// The caller must belong to an organization. All accounts here belong to the same one.
    Organization,
    /// Other conditions, which no caller here meets.
    Others,
}

impl BucketPolicy {
    /// # Errors
    /// Fails with S3's error if it isn't a policy, or if it is for another bucket.
    pub(super) fn parse(text: &str, bucket: &str) -> S3Result<Self> {
        let json: Json = serde_json::from_str(text)
            .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
        let Some(statements) = json.get("Statement") else {
            return Err(malformed("Missing required field Statement"));
        };
        let statements = statements
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![statements.clone()]);
        let mut allows = Vec::new();
        for statement in &statements {
            for field in ["Effect", "Principal", "Action", "Resource"] {
                let negated = format!("Not{field}");
                if statement.get(field).is_none() && statement.get(negated).is_none() {
                    return Err(malformed(&format!("Missing required field {field}")));
                }
            }
            let resources = texts(statement.get("Resource"));
            let of_bucket = |arn: &String| {
                let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
                name.split('/')
                    .next()
                    .is_some_and(|name| matches_wildcard(name, bucket))
            };
            if !resources.iter().all(of_bucket) {
                return Err(malformed("Policy has invalid resource"));
            }
            match statement.get("Effect").and_then(Json::as_str) {
                Some("Allow") => allows.push(BucketPolicyStatement {
                    principals: principals(statement.get("Principal")),
                    actions: texts(statement.get("Action")),
                    resources,
                    conditions: conditions(statement.get("Condition")),
                }),
                Some("Deny") => {}
                effect => {
                    return Err(malformed(&format!(
                        "Invalid effect: {}",
                        effect.unwrap_or_default()
                    )));
                }
            }
        }
        Ok(Self {
            text: text.to_owned(),
            allows,
        })
    }

    /// Returns whether it allows an account, or an anonymous caller, an action on the bucket or an
    /// object in it.
    pub(super) fn allows(&self, account: Option<&str>, action: &str, resource: &str) -> bool {
        self.allows.iter().any(|statement| {
            statement.is_for(account)
                && statement.actions.iter().any(|pattern| {
                    matches_wildcard(&pattern.to_lowercase(), &action.to_lowercase())
                })
                && statement.resources.iter().any(|arn| {
                    let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
                    matches_wildcard(name, resource)
                })
        })
    }

    /// Returns whether it allows something to everybody, which S3 calls a public policy.
    pub(super) fn is_public(&self) -> bool {
        let anybody = |statement: &BucketPolicyStatement| {
            statement
                .principals
                .iter()
                .any(|principal| principal == "*")
        };
        self.allows
            .iter()
            .any(|statement| anybody(statement) && statement.conditions == PolicyCondition::None)
    }
}

impl BucketPolicyStatement {
    fn is_for(&self, account: Option<&str>) -> bool {
        let meets = match self.conditions {
            PolicyCondition::None => true,
            PolicyCondition::Organization => account.is_some(),
            PolicyCondition::Others => false,
        };
        let named = |principal: &String| match account {
            _ if principal == "*" => true,
            // The fifth part of an ARN is the account.
            Some(account) => principal == account || principal.split(':').nth(4) == Some(account),
            None => false,
        };
        meets && self.principals.iter().any(named)
    }
}

/// Reads `"*"`, `{"AWS": "*"}`, `{"AWS": ["arn:…", "123456789012"]}`; services and federated users
/// don't call the simulator.
fn principals(principal: Option<&Json>) -> Vec<String> {
    match principal {
        Some(Json::Object(kinds)) => texts(kinds.get("AWS")),
        other => texts(other),
    }
}

fn conditions(condition: Option<&Json>) -> PolicyCondition {
    let keys = condition
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(_, test)| test.as_object());
    let keys: Vec<_> = keys.flat_map(|test| test.keys()).collect();
    match keys.as_slice() {
        [] => PolicyCondition::None,
        keys if keys
            .iter()
            .all(|key| key.eq_ignore_ascii_case("aws:PrincipalOrgID")) =>
        {
            PolicyCondition::Organization
        }
        _ => PolicyCondition::Others,
    }
}

fn texts(value: Option<&Json>) -> Vec<String> {
    match value {
        Some(Json::String(text)) => vec![text.clone()],
        Some(Json::Array(items)) => items
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn malformed(message: &str) -> s3s::S3Error {
    refusal(400, "MalformedPolicy", message)
}

/// Returns the action that an operation requires.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
pub(super) fn action_of(operation: &str) -> String {
    let action = match operation {
        "HeadObject" => "GetObject",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "DeleteObjects" => "DeleteObject",
        "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => "PutObject",
        "ListParts" => "ListMultipartUploadParts",
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        other => other,
    };
    format!("s3:{action}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_allow_the_named_principals() {
        let policy = |statement: Json| {
            let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
            BucketPolicy::parse(&text, "b").unwrap()
        };
        let allow = |principal: Json, condition: Json| {
            policy(
                json!({"Effect": "Allow", "Principal": principal, "Action": ["s3:Get*"],
                       "Resource": "arn:aws:s3:::b/*", "Condition": condition}),
            )
        };
        let check = |policy: &BucketPolicy, account: Option<&str>, expect: bool| {
            assert_eq!(
                policy.allows(account, "s3:GetObject", "b/k"),
                expect,
                "{policy:?} {account:?}"
            );
        };
        let everybody = allow(json!("*"), json!({}));
        check(&everybody, None, true);
        check(&everybody, Some("1"), true);
        assert!(everybody.is_public() && !everybody.allows(None, "s3:PutObject", "b/k"));
        assert!(!everybody.allows(None, "s3:GetObject", "b"));
        let account = allow(
            json!({"AWS": ["arn:aws:iam::123456789012:root", "2"]}),
            json!({}),
        );
        check(&account, Some("123456789012"), true);
        check(&account, Some("2"), true);
        check(&account, Some("3"), false);
        check(&account, None, false);
        let organization = allow(
            json!({"AWS": "*"}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        );
        check(&organization, Some("1"), true);
        check(&organization, None, false);
        assert!(!organization.is_public());
        check(
            &allow(
                json!("*"),
                json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
            ),
            Some("1"),
            false,
        );
        let denied = policy(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*",
                   "Resource": "arn:aws:s3:::b"}));
        check(&denied, Some("1"), false);
    }

    #[test]
    fn malformed_policies_are_refused() {
        let check = |text: &str, message: &str| {
            let error = BucketPolicy::parse(text, "b").unwrap_err();
            assert_eq!(
                (error.code().as_str(), error.message()),
                ("MalformedPolicy", Some(message))
            );
        };
        check(
            "no",
            "Policies must be valid JSON and the first byte must be '{'",
        );
        check("{}", "Missing required field Statement");
        check(
            r#"{"Statement": [{"Effect": "Allow"}]}"#,
            "Missing required field Principal",
        );
        let other = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*",
            "Resource": "arn:aws:s3:::other/*"}}"#;
        check(other, "Policy has invalid resource");
    }
}
