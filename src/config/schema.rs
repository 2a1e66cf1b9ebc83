//! Every key of a configuration, as types.
//!
//! The doc comments are the descriptions in `schemas/taskcat-config.schema.json`, which is
//! generated from these types; `validate` checks files against the same schema, so keys and
//! patterns are defined only here. Keys, types and patterns are those of TaskCat's
//! `_dataclasses.py`, except that regions and Availability Zone IDs are checked by their form
//! instead of a list that becomes outdated, and that a parameter may be a number with a fraction or
//! a date.

use std::borrow::Cow;
use std::sync::OnceLock;

use indexmap::IndexMap;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::check::CheckConfig;
use crate::duration::HumanDuration;

/// TaskCat configuration file
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BaseConfig {
    /// General configuration settings, defaults for every project. Usually in ~/.taskcat.yml
    pub general: GeneralConfig,
    /// Project specific configuration section
    pub project: ProjectConfig,
    /// The tests by name. A test is launched in each of its regions
    pub tests: IndexMap<String, TestConfig>,
}

/// Parameter values by name.
pub type ParameterMap = IndexMap<String, ConfiguredParameter>;
/// Tag values by key.
pub type TagMap = IndexMap<String, String>;
/// Profile names by region; `default` applies to all other regions.
pub type ProfileMap = IndexMap<String, String>;

/// General configuration settings
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GeneralConfig {
    /// Parameter key-values to pass to CloudFormation; they take precedence over the project's and
    /// the tests'
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [{"InstanceType": "t3.micro", "Zones": "$[taskcat_genaz_2]"}]))]
    pub parameters: Option<ParameterMap>,
    /// Tags to apply to the stacks
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tags")]
    pub tags: Option<TagMap>,
    /// AWS profiles by region; `default` is used for every other region
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "auth")]
    pub auth: Option<ProfileMap>,
    /// Name of the S3 bucket to upload the project to; default is a bucket created for the run
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bucket")]
    pub s3_bucket: Option<String>,
    /// Use one bucket in each region
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_regional_buckets: Option<bool>,
    /// AWS regions to test in
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regions")]
    pub regions: Option<Vec<String>>,
    /// AWS regions that need the artifacts, if other than the regions of the tests
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regions")]
    pub artifact_regions: Option<Vec<String>>,
    /// Hooks to run before the stacks are launched
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [[{"type": "script", "config": {"command": "./prepare.sh"}}]]))]
    pub prehooks: Option<Vec<HookData>>,
    /// Hooks to run after the stacks have been created
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [[{"type": "script", "config": {"command": "./check.sh"}}]]))]
    pub posthooks: Option<Vec<HookData>>,
    /// Time limit for a test: its hooks and its stack until it is complete, without the deletion;
    /// default is 12h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2h", "1h30m"]))]
    pub timeout: Option<HumanDuration>,
    /// Time limit for each hook; a hook's own `config.timeout` takes precedence; default is 1h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["10m", "90s"]))]
    pub hook_timeout: Option<HumanDuration>,
    /// Time limit for the deletion of a stack, retries included; default is 3h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["1h", "90m"]))]
    pub delete_timeout: Option<HumanDuration>,
    /// Number of times to retry a test that failed for a reason that AWS is responsible for, such
    /// as lack of capacity; default is 0
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "retries")]
    pub retries: Option<u32>,
    /// Time limit for the whole run; the stacks are deleted early enough to finish in time
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["55m", "1h30m"]))]
    pub budget: Option<HumanDuration>,
    /// Number of failed tests after which the run stops; default is unlimited
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "max_fail")]
    pub max_fail: Option<usize>,
    /// Age at which to warn about a stack that is still in progress; default is 1h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["20m", "1.5h"]))]
    pub slow_after: Option<HumanDuration>,
    /// Time limit for one attempt of an AWS call, ten times as long for an upload; default is 30s
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["1m", "500ms"]))]
    pub call_timeout: Option<HumanDuration>,
    /// Files or directories with rules of CloudFormation Guard that `lint` checks, relative to the
    /// project root
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [["rules/"]]))]
    pub guard_rules: Option<Vec<String>>,
}

/// Project specific configuration section
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// Project name, the key prefix of everything that is uploaded
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "project_name")]
    pub name: Option<String>,
    /// AWS profiles by region; `default` is used for every other region
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "auth")]
    pub auth: Option<ProfileMap>,
    /// Email address of the project's owner (not used at present)
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["Bob.Slydell@example.com"]))]
    pub owner: Option<String>,
    /// AWS regions to test in
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regions")]
    pub regions: Option<Vec<String>>,
    /// AWS regions that need the artifacts, if other than the regions of the tests
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regions")]
    pub artifact_regions: Option<Vec<String>>,
    /// Availability Zone IDs to exclude when zones are chosen
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "az_ids")]
    pub az_blacklist: Option<Vec<String>>,
    /// Package Lambda functions into zips before the upload, set to false to disable
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_lambda: Option<bool>,
    /// Path relative to the project root to place Lambda zips in, default is
    /// 'lambda_functions/packages'
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["functions/packages"]))]
    pub lambda_zip_path: Option<String>,
    /// Path relative to the project root that holds the Lambda sources, default is
    /// 'lambda_functions/source'
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["functions/source"]))]
    pub lambda_source_path: Option<String>,
    /// Name of the S3 bucket to upload the project to; default is a bucket created for the run
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bucket")]
    pub s3_bucket: Option<String>,
    /// Use one bucket in each region
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_regional_buckets: Option<bool>,
    /// Parameter key-values to pass to CloudFormation; they take precedence over the tests', and
    /// the general ones over them
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [{"InstanceType": "t3.micro", "Zones": "$[taskcat_genaz_2]"}]))]
    pub parameters: Option<ParameterMap>,
    /// Package the Lambda functions of submodules too, set to false to disable
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_submodules: Option<bool>,
    /// Path to the template relative to the project root
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["templates/main.template.yaml"]))]
    pub template: Option<String>,
    /// Tags to apply to the stacks
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tags")]
    pub tags: Option<TagMap>,
    /// Allow (deprecated) signature version 2 on buckets created for the run
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_enable_sig_v2: Option<bool>,
    /// ACL of the uploaded objects, default is 'private'
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "object_acl")]
    pub s3_object_acl: Option<String>,
    /// Shorten the stack names that are generated for tests, set to true to enable
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shorten_stack_name: Option<bool>,
    /// Role that CloudFormation assumes to launch the stacks: its name, after its path if it has
    /// one, or its ARN
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["cloudformation-tests"]))]
    pub role_name: Option<String>,
    /// ID of the AWS organization that may read the buckets created for the run; it starts with o-
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["o-a1b2c3d4e5"]))]
    pub org_id: Option<String>,
    /// Hooks to run before the stacks are launched
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [[{"type": "script", "config": {"command": "./prepare.sh"}}]]))]
    pub prehooks: Option<Vec<HookData>>,
    /// Hooks to run after the stacks have been created
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [[{"type": "script", "config": {"command": "./check.sh"}}]]))]
    pub posthooks: Option<Vec<HookData>>,
    /// Time limit for a test: its hooks and its stack until it is complete, without the deletion;
    /// default is 12h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2h", "1h30m"]))]
    pub timeout: Option<HumanDuration>,
    /// Time limit for each hook; a hook's own `config.timeout` takes precedence; default is 1h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["10m", "90s"]))]
    pub hook_timeout: Option<HumanDuration>,
    /// Time limit for the deletion of a stack, retries included; default is 3h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["1h", "90m"]))]
    pub delete_timeout: Option<HumanDuration>,
    /// Number of times to retry a test that failed for a reason that AWS is responsible for, such
    /// as lack of capacity; default is 0
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "retries")]
    pub retries: Option<u32>,
    /// Time limit for the whole run; the stacks are deleted early enough to finish in time
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["55m", "1h30m"]))]
    pub budget: Option<HumanDuration>,
    /// Number of failed tests after which the run stops; default is unlimited
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "max_fail")]
    pub max_fail: Option<usize>,
    /// Age at which to warn about a stack that is still in progress; default is 1h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["20m", "1.5h"]))]
    pub slow_after: Option<HumanDuration>,
    /// Time limit for one attempt of an AWS call, ten times as long for an upload; default is 30s
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["1m", "500ms"]))]
    pub call_timeout: Option<HumanDuration>,
    /// Files or directories with rules of CloudFormation Guard that `lint` checks, relative to the
    /// project root
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [["rules/"]]))]
    pub guard_rules: Option<Vec<String>>,
}

/// Test specific configuration section
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TestConfig {
    /// Path to the template relative to the project root
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["templates/main.template.yaml"]))]
    pub template: Option<String>,
    /// Parameter key-values to pass to CloudFormation; the project's and the general ones take
    /// precedence over them
    #[schemars(extend("examples" = [{"InstanceType": "t3.micro", "Zones": "$[taskcat_genaz_2]"}]))]
    pub parameters: ParameterMap,
    /// AWS regions to test in
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regions")]
    pub regions: Option<Vec<String>>,
    /// AWS regions that need the artifacts, if other than the regions of the test
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regions")]
    pub artifact_regions: Option<Vec<String>>,
    /// Tags to apply to the stacks
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tags")]
    pub tags: Option<TagMap>,
    /// AWS profiles by region; `default` is used for every other region
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "auth")]
    pub auth: Option<ProfileMap>,
    /// Name of the S3 bucket to upload the project to; default is a bucket created for the run
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bucket")]
    pub s3_bucket: Option<String>,
    /// Use one bucket in each region
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_regional_buckets: Option<bool>,
    /// Availability Zone IDs to exclude when zones are chosen
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "az_ids")]
    pub az_blacklist: Option<Vec<String>>,
    /// Role that CloudFormation assumes to launch the stacks: its name, after its path if it has
    /// one, or its ARN
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["cloudformation-tests"]))]
    pub role_name: Option<String>,
    /// Name of the stack. Not together with stack_name_prefix or stack_name_suffix
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["shop-main"]))]
    pub stack_name: Option<String>,
    /// Prefix of the generated stack name
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["ci-"]))]
    pub stack_name_prefix: Option<String>,
    /// Suffix of the generated stack name
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["-nightly"]))]
    pub stack_name_suffix: Option<String>,
    /// Hooks to run before the stacks are launched
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [[{"type": "script", "config": {"command": "./prepare.sh"}}]]))]
    pub prehooks: Option<Vec<HookData>>,
    /// Hooks to run after the stacks have been created
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [[{"type": "script", "config": {"command": "./check.sh"}}]]))]
    pub posthooks: Option<Vec<HookData>>,
    /// Tests whose stacks must be complete before this one is launched, in the same region or, as
    /// NAME@REGION, in another. Their outputs are available as $[taskcat_output_NAME.Key]; their
    /// stacks are deleted after this one. If one of them doesn't pass, this test is skipped
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [["network", "certificate@us-east-1"]]))]
    pub depends_on: Option<Vec<String>>,
    /// Checks of the stack once it is complete, before its posthooks; one that fails fails the test
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [[{"http": {"url": "${Url}/health"}}]]))]
    pub checks: Option<Vec<CheckConfig>>,
    /// Time limit for a test: its hooks and its stack until it is complete, without the deletion;
    /// default is 12h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2h", "1h30m"]))]
    pub timeout: Option<HumanDuration>,
    /// Time limit for each hook; a hook's own `config.timeout` takes precedence; default is 1h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["10m", "90s"]))]
    pub hook_timeout: Option<HumanDuration>,
    /// Time limit for the deletion of a stack, retries included; default is 3h
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["1h", "90m"]))]
    pub delete_timeout: Option<HumanDuration>,
    /// Number of times to retry a test that failed for a reason that AWS is responsible for, such
    /// as lack of capacity; default is 0
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "retries")]
    pub retries: Option<u32>,
    /// Earlier version of the stack, which is launched first and then updated to the test's own
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [{"git_ref": "v1.2.0"}]))]
    pub update_from: Option<UpdateFromConfig>,
    /// Logical IDs of resources that the update may neither replace nor delete
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [["Database"]]))]
    pub forbid_replacement: Option<Vec<String>>,
    /// Whether the test fails if updating the stack once more would change something
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [true]))]
    pub idempotent: Option<bool>,
}

/// Earlier version of a test's stack
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpdateFromConfig {
    /// Git tag, branch or commit of the earlier version, with its files and its configuration of
    /// the test; default is the working copy
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["v1.2.0"]))]
    pub git_ref: Option<String>,
    /// Path to the earlier template relative to the project root; default is the test's template
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["templates/main-1.0.template.yaml"]))]
    pub template: Option<String>,
    /// Parameter key-values of the earlier version that differ from the test's
    #[schemars(extend("examples" = [{"InstanceType": "t3.micro"}]))]
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub parameters: ParameterMap,
}

/// Stands for the account's ID in `s3_bucket`, so that one configuration serves several accounts.
pub const ACCOUNT_ID: &str = "$[taskcat_account_id]";

impl TestConfig {
    /// Returns the Git revision of the earlier version, if it isn't in the working copy.
    pub fn earlier_revision(&self) -> Option<&str> {
        self.update_from.as_ref()?.git_ref.as_deref()
    }

    /// Returns the paths of the test's templates in the working copy, and their keys in the test.
    pub fn templates(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let earlier = self.update_from.as_ref().filter(|it| it.git_ref.is_none());
        let earlier = earlier.and_then(|it| it.template.as_deref());
        let own = self.template.as_deref().map(|it| ("template", it));
        own.into_iter()
            .chain(earlier.map(|it| ("update_from.template", it)))
    }

    /// Returns the test of the earlier version: `base` with the template and the parameters of
    /// `update_from`; `None` if it doesn't update from one.
    pub fn earlier(&self, base: &Self) -> Option<Self> {
        let from = self.update_from.as_ref()?;
        let mut earlier = Self {
            update_from: None,
            forbid_replacement: None,
            idempotent: None,
            ..base.clone()
        };
        earlier.template = from.template.clone().or(earlier.template);
        earlier.parameters.extend(from.parameters.clone());
        Some(earlier)
    }

    /// Returns the profile for a region, if one is set: its own entry in `auth`, else
    /// `auth.default`.
    pub fn profile(&self, region: &str) -> Option<&str> {
        let auth = self.auth.as_ref()?;
        let set = auth.get(region).or_else(|| auth.get("default"))?;
        Some(set.as_str()).filter(|name| !name.trim().is_empty())
    }

    /// Returns the bucket that the user configured, which may contain [`ACCOUNT_ID`]. An empty
    /// name, as in converted legacy configurations, counts as absent.
    pub fn given_bucket(&self) -> Option<&str> {
        self.s3_bucket.as_deref().filter(|name| !name.is_empty())
    }
}

/// Hook definition
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HookData {
    /// Hook type: `script`, or the name of a `taskcat-hook-<type>` program
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Hook configuration, passed to the hook unchanged
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A parameter's value in the configuration, with pseudo-parameters not yet resolved.
///
/// Like TaskCat, this converts numbers to strings when it reads the file. Dates and numbers with a
/// fraction, which TaskCat refuses, are kept as written. Lists remain lists (TaskCat turns most of
/// them into `['a', 'b']`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ConfiguredParameter {
    /// A string, or a scalar kept as written.
    String(String),
    /// A boolean.
    Bool(bool),
    /// A list; its items aren't lists.
    List(Vec<ConfiguredParameter>),
}

impl ConfiguredParameter {
    /// Returns the value as a string; the items of a list are joined with commas.
    ///
    /// TaskCat sends a boolean as Python writes it, `True`, which a template with `AllowedValues:
    /// ["true", "false"]` refuses. So a boolean takes its spelling from the parameter's
    /// `AllowedValues` and `Default`, passed as `accepted`; Python's is used only if none of them
    /// is a boolean.
    pub fn text(&self, accepted: &[&str]) -> String {
        match self {
            ConfiguredParameter::String(text) => text.clone(),
            ConfiguredParameter::Bool(value) => boolean_text(*value, accepted),
            ConfiguredParameter::List(items) => items
                .iter()
                .map(|item| item.text(accepted))
                .collect::<Vec<_>>()
                .join(","),
        }
    }
}

fn boolean_text(value: bool, accepted: &[&str]) -> String {
    const WORDS: [(&str, &str); 3] = [("true", "false"), ("yes", "no"), ("on", "off")];
    for model in accepted {
        let pair = WORDS
            .iter()
            .find(|(yes, no)| yes.eq_ignore_ascii_case(model) || no.eq_ignore_ascii_case(model));
        if let Some((yes, no)) = pair {
            let word = if value { *yes } else { *no };
            return match (
                model.chars().any(char::is_lowercase),
                model.starts_with(char::is_uppercase),
            ) {
                (false, _) => word.to_uppercase(),
                (true, true) => capitalized(word),
                (true, false) => word.to_owned(),
            };
        }
    }
    capitalized(if value { "true" } else { "false" })
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(chars)
        .collect()
}

/// Serializes like `taskcat config show` prints it: booleans in Python's form, like TaskCat.
impl Serialize for ConfiguredParameter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ConfiguredParameter::List(items) => items.serialize(serializer),
            scalar => serializer.serialize_str(&scalar.text(&[])),
        }
    }
}

impl JsonSchema for ConfiguredParameter {
    fn schema_name() -> Cow<'static, str> {
        "ParameterValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A parameter's value; a list becomes a comma-delimited one",
            "anyOf": [
                { "type": ["string", "number", "boolean"] },
                { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
            ],
        })
    }
}

/// Only the form is checked, so that new regions work.
fn regions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "string",
            "pattern": "^[a-z]{2,}(-[a-z]+)+-[0-9]+$",
            "patternErrorMessage": "must be an AWS region such as us-east-1",
        },
        "examples": [["us-east-1"]],
    })
}

/// Only the form is checked, as for regions.
fn az_ids(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "string",
            "pattern": "^[a-z]+[0-9]+(-[a-z0-9]+)+$",
            "patternErrorMessage": "must be an Availability Zone ID such as use1-az1",
        },
        "examples": [["use1-az3", "usw2-lax1-az1"]],
    })
}

fn bucket(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^([a-z0-9-]|\\$\\[taskcat_account_id\\])*$",
        "patternErrorMessage": "must consist of lower case letters, digits and -",
        "examples": ["my-s3-bucket-name", "staging-$[taskcat_account_id]"],
    })
}

fn project_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^[a-z0-9/-]*$",
        "patternErrorMessage": "must consist of lower case letters, digits, - and /",
        "examples": ["my-project-name"],
    })
}

fn max_fail(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "examples": [1] })
}

fn retries(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": 10, "examples": [2] })
}

fn object_acl(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "enum": [
            "private", "public-read", "aws-exec-read", "public-read-write", "authenticated-read",
            "bucket-owner-read",
            "bucket-owner-full-control",
        ],
    })
}

fn tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": { "type": "string" },
        "examples": [{ "CostCenter": "1001" }],
    })
}

fn auth(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": { "type": "string" },
        "examples": [{ "default": "my-profile", "cn-northwest-1": "china-profile" }],
    })
}

/// Returns the JSON Schema of a configuration file in draft 7, which YAML language servers support
/// best.
pub fn json_schema() -> &'static serde_json::Value {
    static SCHEMA: OnceLock<serde_json::Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let settings = SchemaSettings::draft07()
            .with_transform(RecursiveTransform(without_null))
            .with_transform(RecursiveTransform(crate::json_schema::join_lines));
        let schema = settings
            .into_generator()
            .into_root_schema_for::<BaseConfig>();
        crate::json_schema::with_id(schema, "config").to_value()
    })
}

/// An optional key is left out, not null.
fn without_null(schema: &mut Schema) {
    if let Some(serde_json::Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    // Descriptions say what a missing key means; the types' own defaults would only be noise.
    schema.remove("default");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// After changing the types, run `UPDATE_SCHEMAS=1 cargo test --lib config::schema`.
    #[test]
    fn the_published_schema_is_current() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/taskcat-config.schema.json");
        let current = format!("{:#}\n", json_schema());
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&file, &current).unwrap();
        }
        let published = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            published == current,
            "{} is not what the types say; see this test",
            file.display()
        );
    }

    #[test]
    fn booleans_take_the_words_that_the_template_knows() {
        let check = |accepted: &[&str], yes: &str, no: &str| {
            assert_eq!(ConfiguredParameter::Bool(true).text(accepted), yes);
            assert_eq!(ConfiguredParameter::Bool(false).text(accepted), no);
        };
        check(&[], "True", "False");
        check(&["maybe", ""], "True", "False");
        check(&["true", "false"], "true", "false");
        check(&["False", "True"], "True", "False");
        check(&["", "no"], "yes", "no");
        check(&["YES"], "YES", "NO");
        check(&["On", "Off"], "On", "Off");
    }

    #[test]
    fn values_have_a_text() {
        let check = |json: serde_json::Value, text: &str, shown: serde_json::Value| {
            let value: ConfiguredParameter = serde_json::from_value(json).unwrap();
            assert_eq!(
                (
                    value.text(&[]).as_str(),
                    serde_json::to_value(&value).unwrap()
                ),
                (text, shown)
            );
        };
        check("a".into(), "a", "a".into());
        check(true.into(), "True", "True".into());
        check(
            serde_json::json!(["a", false, "c"]),
            "a,False,c",
            serde_json::json!(["a", "False", "c"]),
        );
        check(serde_json::json!([]), "", serde_json::json!([]));
    }
}
