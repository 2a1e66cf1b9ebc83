//! The keys of a test's `checks`, as types. `schema` describes the rest of the configuration.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::duration::HumanDuration;

/// A check of a test, made once its stack is complete. It has one of `http`, `tcp`, `output`,
/// `resource`, `drift` and `command`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckConfig {
    /// Name of the check in reports; default is what it checks
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Time limit for the check; `http` and `tcp` are tried again until then; default is 5m, and
    /// 15m for `drift`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HumanDuration>,
    /// Pause between two attempts of `http` and `tcp`; default is 5s
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<HumanDuration>,
    /// Request a URL, and check the answer
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheckConfig>,
    /// Connect to an address
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpCheckConfig>,
    /// Check an output of the stack
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputCheckConfig>,
    /// Check that a resource exists, and one of its properties, with Cloud Control's GetResource
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceCheckConfig>,
    /// Check with CloudFormation's drift detection that no resource differs from the template
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "drift")]
    pub drift: Option<String>,
    /// Run a program that fails if something is wrong: a line for the shell, or a list of a program
    /// and its arguments. The outputs are in variables such as TASKCAT_OUTPUT_Url
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "command")]
    pub command: Option<serde_json::Value>,
}

/// An HTTP request
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpCheckConfig {
    /// URL to get; ${Key} is the value of an output
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["${Url}/health"]))]
    pub url: Option<String>,
    /// Expected status; default is 200. Redirects are not followed
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "http_status")]
    pub status: Option<u16>,
    /// Regular expression that the body must match somewhere
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Verify the server's certificate, set to false for one that is signed by itself
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_tls: Option<bool>,
}

/// A TCP connection
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TcpCheckConfig {
    /// Host and port; ${Key} is the value of an output
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["${DatabaseHost}:5432"]))]
    pub address: Option<String>,
}

/// An output of the stack
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutputCheckConfig {
    /// The output's key
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Regular expression that the value must match somewhere; ^ and $ match its beginning and end
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["^https://"]))]
    pub matches: Option<String>,
}

/// A resource of the stack
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResourceCheckConfig {
    /// The resource's logical ID
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical_id: Option<String>,
    /// Path of the property to check, such as Tags.0.Value
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// Expected value of the property
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<serde_json::Value>,
    /// The resource's primary identifier in Cloud Control; ${Key} is the value of an output;
    /// default is its physical ID
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
}

fn drift(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["none"] })
}

fn command(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": ["string", "number"] } },
        ],
        "examples": ["./smoke-test.sh", ["curl", "--fail", "http://localhost"]],
    })
}

fn http_status(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 100, "maximum": 599, "examples": [200] })
}
