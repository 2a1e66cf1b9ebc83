//! What AWS refused, and what kind of refusal it is.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::profile::MissingProfile;
use super::retry::{has_lost_attempt, is_refused_connection};
use crate::input;

/// A call that did not succeed, after the SDK's retries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct AwsError {
    pub kind: ErrorKind,
    /// `CreateStack`
    pub operation: &'static str,
    pub region: String,
    /// AWS's error code (`ValidationError`); absent where no answer came.
    pub code: Option<String>,
    /// AWS's words, or the transport's.
    pub message: String,
    /// An earlier attempt of the call got no answer and may have taken effect, whatever the last one was answered.
    pub lost_attempt: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No credentials, or none that AWS takes.
    Credentials,
    /// No such profile in the AWS configuration files. Nothing was called.
    MissingProfile,
    Denied,
    Throttled,
    NotFound,
    AlreadyExists,
    /// Nobody listens at the endpoint: the call has not taken effect.
    Unreachable,
    /// No answer: name not resolved, connection cut, timed out. Whether the call took effect is not known.
    Network,
    /// AWS failed inside. Whether the call took effect is not known.
    Unavailable,
    Other,
}

/// `us-east-1: CreateStack: ValidationError: Stack name …`
impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ErrorKind::MissingProfile {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}: ", self.region, self.operation)?;
        f.write_str(&self.answer())
    }
}

impl AwsError {
    pub(super) fn new<E>(operation: &'static str, region: &str, error: SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = error.code().map(str::to_owned);
        let kind = match &error {
            SdkError::ConstructionFailure(_) => kind_of_credentials(&error),
            SdkError::DispatchFailure(failure) if failure.is_other() && is_of_credentials(&error) => {
                kind_of_credentials(&error)
            }
            SdkError::DispatchFailure(_) if is_refused_connection(&error) => ErrorKind::Unreachable,
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => ErrorKind::Network,
            _ => kind_of_code(code.as_deref().unwrap_or_default()),
        };
        let message = match error.message() {
            Some(message) => message.to_owned(),
            None if kind == ErrorKind::Credentials => chain(&error),
            // Where AWS sends no words, the SDK repeats the code.
            None => Some(innermost(&error)).filter(|text| Some(text) != code.as_ref()).unwrap_or_default(),
        };
        let lost_attempt = error.raw_response().is_some_and(has_lost_attempt);
        Self { kind, operation, region: region.to_owned(), code, message, lost_attempt }
    }

    /// A request that could not be signed, for want of credentials.
    pub(super) fn unsigned(operation: &'static str, region: &str, error: CredentialsError) -> Self {
        let error = Unsigned(error);
        let kind = kind_of_credentials(&error);
        let message = if kind == ErrorKind::Credentials { chain(&error) } else { innermost(&error) };
        Self { kind, ..Self::unexpected(operation, region, message) }
    }

    /// AWS's answer alone: `ValidationError: Stack name …`.
    pub fn answer(&self) -> String {
        match &self.code {
            Some(code) if self.message.is_empty() => code.clone(),
            Some(code) => format!("{code}: {}", self.message),
            None => self.message.clone(),
        }
    }

    /// The text for a profile, which is named unless the error names it.
    pub fn of_profile(&self, profile: &str) -> String {
        if self.kind == ErrorKind::MissingProfile { self.to_string() } else { format!("profile {profile}: {self}") }
    }

    /// An answer that breaks the API's contract.
    pub(super) fn unexpected(operation: &'static str, region: &str, message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Other,
            operation,
            region: region.to_owned(),
            code: None,
            message: message.into(),
            lost_attempt: false,
        }
    }

    pub(super) fn with_code(
        operation: &'static str,
        region: &str,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let code = code.into();
        Self { kind: kind_of_code(&code), code: Some(code), ..Self::unexpected(operation, region, message) }
    }

    /// Puts the thing that was asked for in front of AWS's words, which often don't name it.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.message = if self.message.is_empty() { name.to_owned() } else { format!("{name}: {}", self.message) };
        self
    }

    pub fn is(&self, kind: ErrorKind) -> bool {
        self.kind == kind
    }

    /// Whether no answer came.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.kind, ErrorKind::Unreachable | ErrorKind::Network)
    }

    /// Whether the same call may succeed later.
    pub fn may_pass(&self) -> bool {
        self.is_unanswered() || matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Throttled)
    }

    /// Whether the call may have taken effect all the same: an attempt got no answer, or none that says so.
    pub fn may_have_taken_effect(&self) -> bool {
        self.lost_attempt
            || matches!(self.kind, ErrorKind::Network | ErrorKind::Unavailable)
            || self.is(ErrorKind::Other) && self.code.is_none()
    }

    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// The codes of the services that the steps call, by what they mean to a step.
fn kind_of_code(code: &str) -> ErrorKind {
    match code {
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "SignatureDoesNotMatch"
        | "AuthFailure"
        | "MissingAuthenticationToken" => ErrorKind::Credentials,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" => ErrorKind::Denied,
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" | "SlowDown" => {
            ErrorKind::Throttled
        }
        "NoSuchBucket"
        | "NoSuchKey"
        | "NotFound"
        | "NoSuchTagSet"
        | "ParameterNotFound"
        | "ResourceNotFoundException" => ErrorKind::NotFound,
        "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalServiceError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "Unavailable"
        | "OperationAborted"
        | "RequestTimeout" => ErrorKind::Unavailable,
        "AlreadyExistsException" | "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" => ErrorKind::AlreadyExists,
        _ => ErrorKind::Other,
    }
}

/// The SDK's outer errors only say that something failed; the innermost source says what.
fn innermost(error: &dyn Error) -> String {
    let text = sources(error).last().unwrap_or_else(|| error.to_string());
    input::without_number(&text).to_owned()
}

/// Where credentials are looked for, several things can be wrong one behind the other, and each says something.
fn chain(error: &dyn Error) -> String {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(CredentialsError::CredentialsNotLoaded(_)) = inner.downcast_ref() {
            return "no credentials were found".to_owned();
        }
        source = inner.source();
    }
    let mut causes: Vec<_> = sources(error).skip(1).collect();
    causes.dedup();
    format!("no usable credentials: {}", causes.join(": "))
}

/// A connection that breaks while an answer is read has the same outer error.
fn is_of_credentials(error: &dyn Error) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.is::<CredentialsError>() {
            return true;
        }
        source = inner.source();
    }
    false
}

fn kind_of_credentials(error: &dyn Error) -> ErrorKind {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.is::<MissingProfile>() {
            return ErrorKind::MissingProfile;
        }
        source = inner.source();
    }
    ErrorKind::Credentials
}

/// The outer error of requests that are signed here and not by the SDK.
#[derive(Debug, thiserror::Error)]
#[error("the request can't be signed")]
struct Unsigned(#[source] CredentialsError);

fn sources(error: &dyn Error) -> impl Iterator<Item = String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(source) = next {
        causes.push(source.to_string());
        next = source.source();
    }
    causes.into_iter()
}
