//! AWS's JSON 1.1 protocol: the action in a header, an object in and an object out. SSM, Secrets
//! Manager, CodePipeline and Service Quotas use it, and Cloud Control its predecessor 1.0.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::Cloud;
use super::caller::Credential;
use super::cloud_control;
use super::code_pipeline;
use super::dispatch::{Body, Reply};
use super::error::ServiceError;
use super::fault::{CallRefusal, serve_with_faults};
use super::service_quotas;

/// The result of an action: the members of the response, or an error.
pub(super) type JsonResult = Result<Json, ServiceError>;

/// The largest body in bytes: the largest secret has 64 KB.
pub(super) const MAX_BODY: usize = 1024 * 1024;

/// A service that uses JSON 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonService {
    Ssm,
    SecretsManager,
    CodePipeline,
    ServiceQuotas,
    CloudControl,
}

impl JsonService {
    /// Returns the name in credential scopes.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ssm => "ssm",
            Self::SecretsManager => "secretsmanager",
            Self::CodePipeline => "codepipeline",
            Self::ServiceQuotas => "servicequotas",
            Self::CloudControl => "cloudcontrolapi",
        }
    }

    /// Returns the service with a name in credential scopes.
    pub(super) fn named(name: &str) -> Option<Self> {
        [
            Self::Ssm,
            Self::SecretsManager,
            Self::CodePipeline,
            Self::ServiceQuotas,
            Self::CloudControl,
        ]
        .into_iter()
        .find(|service| service.name() == name)
    }
}

/// The members of a request.
pub(super) struct JsonInput(Map<String, Json>);

impl JsonInput {
    /// Returns a string member.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Json::as_str)
    }

    /// # Errors
    /// Fails if there is no such member, or if it isn't a string.
    pub(super) fn required(&self, name: &str) -> Result<&str, ServiceError> {
        self.text(name).ok_or_else(|| {
            let camel = name
                .char_indices()
                .map(|(at, c)| if at == 0 { c.to_ascii_lowercase() } else { c });
            let name: String = camel.collect();
            validation(format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: \
                 Member must not be null"
            ))
        })
    }

    /// Returns whether a member is true.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Json::as_bool).unwrap_or_default()
    }

    /// Returns an integer member.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Json::as_i64)
    }

    /// Returns a member.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// Returns the strings of a list member.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        self.0
            .get(name)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect()
    }

    /// Returns an input with a single member.
    pub(super) fn with(name: &str, text: &str) -> Self {
        Self(Map::from_iter([(name.to_owned(), text.into())]))
    }

    /// Returns the members of a JSON object.
    #[cfg(test)]
    pub(crate) fn of(json: Json) -> Self {
        Self(json.as_object().cloned().unwrap_or_default())
    }
}

/// Returns an error with status 400, which JSON services use nearly always.
pub(super) fn error(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, code, message)
}

/// Returns a `ValidationException`.
pub(super) fn validation(message: impl Into<String>) -> ServiceError {
    error("ValidationException", message)
}

/// Answers a request for a JSON service.
pub(super) async fn answer(
    cloud: &Arc<Cloud>,
    service: JsonService,
    credential: &Credential,
    parts: &Parts,
    body: &Bytes,
) -> Reply {
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let action = target.rsplit('.').next().unwrap_or_default();
    let input = match serde_json::from_slice::<Json>(if body.is_empty() { b"{}" } else { body }) {
        Ok(Json::Object(members)) => JsonInput(members),
        _ => return failure(&error("SerializationException", "")),
    };
    let name = ["Name", "SecretId", "name", "Identifier"]
        .into_iter()
        .find_map(|member| input.text(member));
    let caller = &credential.caller;
    let serve = || {
        // A stack may have created or deleted the parameter or secret by now.
        cloud.cloudformation.catch_up(cloud);
        match service {
            JsonService::Ssm => cloud.ssm.call(&cloud.clock, caller, action, &input),
            JsonService::SecretsManager => cloud.secrets.call(&cloud.clock, caller, action, &input),
            JsonService::CodePipeline => code_pipeline::call(cloud, caller, action, &input),
            JsonService::ServiceQuotas => service_quotas::call(cloud, caller, action, &input),
            JsonService::CloudControl => cloud_control::call(cloud, caller, action, &input),
        }
    };
    match serve_with_faults(cloud, service.name(), action, caller, name, serve).await {
        Ok(output) => respond(StatusCode::OK, &output),
        Err(CallRefusal::Error(error)) => failure(&error),
        Err(CallRefusal::Cut) => Reply::Cut,
    }
}

/// Returns the error for an action that the simulator doesn't have.
pub(super) fn unknown_action(action: &str) -> ServiceError {
    error(
        "UnknownOperationException",
        format!("the simulator has no action `{action}`"),
    )
}

/// Returns the tags in a request.
pub(super) fn request_tags(input: &JsonInput) -> Vec<(String, String)> {
    let tags = input
        .get("Tags")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let pair = |tag: &Json| {
        Some((
            tag["Key"].as_str()?.to_owned(),
            tag["Value"].as_str()?.to_owned(),
        ))
    };
    tags.filter_map(pair).collect()
}

/// Returns a time as JSON services write it: seconds with a fraction.
pub(super) fn epoch_seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

/// Returns an error response.
pub(super) fn failure(error: &ServiceError) -> Reply {
    let mut output = json!({"__type": error.code});
    if !error.message.is_empty() {
        output["message"] = error.message.as_str().into();
    }
    let mut reply = respond(
        StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
        &output,
    );
    // Clients of REST-JSON services look for the code there.
    if let (Reply::Response(response), Ok(code)) = (&mut reply, HeaderValue::from_str(&error.code))
    {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    reply
}

fn respond(status: StatusCode, output: &Json) -> Reply {
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-requestid", Uuid::new_v4().to_string())
        .body(Body::from(output.to_string()));
    response.map_or(Reply::Cut, Reply::Response)
}
