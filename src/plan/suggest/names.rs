//! What the names of parameters say.

use super::{Candidate, SuggestionContext, UUID};

/// The most characters that a text is filled up with.
pub(super) const LONGEST: usize = 4096;

/// Parts of names, in lower case without `_` and `-`, with the values that fit, best first. The
/// first part that a name contains counts.
const PLAIN: [(&str, &[&str]); 15] = [
    ("email", &["noreply@example.com"]),
    ("subnetcidr", &["10.0.1.0/24", "10.0.0.0/20"]),
    (
        "cidr",
        &["10.0.0.0/16", "10.0.0.0/24", "10.0.0.0/8", "10.0.0.1/32"],
    ),
    ("hostname", &["taskcat", "taskcat.example.com"]),
    ("fqdn", &["taskcat.example.com"]),
    ("domain", &["example.com", "taskcat", "EXAMPLE"]),
    ("url", &["https://example.com", "https://example.com/"]),
    ("port", &["443", "8080", "3306", "5432"]),
    ("ipaddress", &["10.0.0.10"]),
    ("instancetype", &["t3.micro"]),
    ("instanceclass", &["db.t3.micro"]),
    ("environment", &["test", "dev", "Test"]),
    ("partition", &["aws"]),
    ("date", &["2030-01-01"]),
    ("branch", &["main"]),
];

/// Ends of names of things that exist in one account.
const ACCOUNT_SPECIFIC: [&str; 14] = [
    "arn",
    "vpcid",
    "vpc",
    "subnetid",
    "subnets",
    "subnetids",
    "subnet1id",
    "subnet2id",
    "subnet3id",
    "securitygroupid",
    "securitygroup",
    "hostedzoneid",
    "amiid",
    "routetableid",
];

const BUCKETS: [&str; 5] = [
    "s3bucket",
    "s3bucketname",
    "artifactbucket",
    "assetbucket",
    "assetsbucket",
];
const PREFIXES: [&str; 5] = [
    "s3keyprefix",
    "artifactprefix",
    "assetprefix",
    "assetsprefix",
    "s3prefix",
];

fn plain(key: &str) -> String {
    let kept = key.chars().filter(|it| !matches!(it, '_' | '-'));
    kept.collect::<String>().to_lowercase()
}

fn name(context: &SuggestionContext) -> String {
    plain(&context.parameter.key)
}

/// Returns whether the name is one for a single zone: `AvailabilityZone1`, `SecondAZ`.
pub(super) fn is_zone(context: &SuggestionContext) -> bool {
    let name = name(context);
    let name = name.trim_end_matches(|it: char| it.is_ascii_digit());
    let is_short = context.parameter.key.contains("AZ") && name.ends_with("az");
    is_short || name.ends_with("availabilityzone")
}

/// Returns whether the name is one for a list of zones.
pub(super) fn is_zones(context: &SuggestionContext) -> bool {
    let name = name(context);
    name.contains("availabilityzones") || context.parameter.key.ends_with("AZs")
}

/// Returns whether the name is one for the number of zones: `NumberOfAZs`, `AZCount`.
pub(super) fn is_number_of_zones(key: &str) -> bool {
    let name = plain(key);
    let is_number = name.contains("number") || name.contains("count");
    is_number && (name.contains("availabilityzone") || key.contains("AZ"))
}

pub(super) fn is_password(context: &SuggestionContext) -> bool {
    let name = name(context);
    ["password", "passwd", "passphrase"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Returns whether a value can't be made up: it must name something in the account.
pub(super) fn is_account_specific(context: &SuggestionContext) -> bool {
    let name = name(context);
    ACCOUNT_SPECIFIC.iter().any(|end| name.ends_with(end))
}

/// Returns what takes precedence over a default: where the project is staged for the test. The
/// default is usually where its authors publish it.
pub(super) fn instead_of_default(context: &SuggestionContext) -> Vec<Candidate> {
    if context.parameter.kind != "String" || is_own_bucket(context) {
        return Vec::new();
    }
    let name = name(context);
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends(&BUCKETS) {
        vec![autobucket()]
    } else if ends(&["bucketregion"]) {
        vec![current_region(context)]
    } else if ends(&PREFIXES) {
        prefixes()
    } else {
        Vec::new()
    }
}

/// Returns candidates for a parameter without default.
pub(super) fn by_name(context: &SuggestionContext) -> Vec<Candidate> {
    let name = name(context);
    let has = |part: &str| name.contains(part);
    if is_own_bucket(context) {
        let sample = format!("taskcat-{UUID}");
        return vec![Candidate::pseudo("taskcat-$[taskcat_genuuid]", sample)];
    }
    let staged = instead_of_default(context);
    if !staged.is_empty() {
        return staged;
    }
    if is_account_specific(context) {
        Vec::new()
    } else if has("region") {
        vec![current_region(context)]
    } else if has("uuid") || has("guid") {
        vec![Candidate::pseudo("$[taskcat_genuuid]", UUID)]
    } else if has("bucket") {
        vec![autobucket()]
    } else if has("accountid") || has("accountnumber") {
        vec![Candidate::pseudo("$[taskcat_account_id]", "123456789012")]
    } else if has("keypair") || has("keyname") {
        vec![Candidate::pseudo(super::KEY_PAIR, "cikey")]
    } else {
        let found = PLAIN.iter().find(|(part, _)| has(part));
        let values = found.map_or(&[][..], |(_, values)| values);
        values.iter().copied().map(Candidate::plain).collect()
    }
}

fn autobucket() -> Candidate {
    Candidate::pseudo("$[taskcat_autobucket]", "tcat-project-a1b2c3d4")
}

fn current_region(context: &SuggestionContext) -> Candidate {
    Candidate::pseudo("$[taskcat_current_region]", context.region)
}

fn prefixes() -> Vec<Candidate> {
    vec![
        Candidate::pseudo("$[taskcat_project_name]/", "project/"),
        Candidate::pseudo("$[taskcat_project_name]", "project"),
    ]
}

/// Returns whether the template creates a bucket of that name, which so must be new.
fn is_own_bucket(context: &SuggestionContext) -> bool {
    let key = &context.parameter.key;
    context
        .template
        .sets_property(key, "AWS::S3::Bucket", "BucketName")
}
