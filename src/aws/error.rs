//! What AWS refused, and what kind of refusal it is.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::http::{ConnectError, find};
use super::profile_error::ProfileError;
use super::retry::{has_lost_attempt, is_unreachable};
use crate::input;

/// A call that did not succeed, after the SDK's retries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct AwsError {
    /// What kind of error it is.
    pub kind: ErrorKind,
    /// `CreateStack`
    pub operation: &'static str,
    /// The region that was called.
    pub region: String,
    /// AWS's error code (`ValidationError`); absent where no answer came.
    pub code: Option<String>,
    /// AWS's words, or the transport's.
    pub message: String,
    /// An earlier attempt of the call got no answer and may have taken effect, whatever the last
    /// one was answered.
    pub lost_attempt: bool,
    /// What to do about it, where more is known than the kind says.
    pub help: Option<String>,
    /// It is about the credentials, which no call has been made with: neither region nor operation
    /// matter.
    pub(super) is_of_credentials: bool,
    /// No connection was made, for a reason that stays: a certificate, a proxy's refusal.
    pub(super) is_permanent: bool,
}

/// What an error means to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No credentials, or none that AWS takes.
    Credentials,
    /// No such profile in the AWS configuration files. Nothing was called.
    MissingProfile,
    /// The caller lacks a permission.
    Denied,
    /// Too many calls were made.
    Throttled,
    /// Something doesn't exist.
    NotFound,
    /// Something exists already.
    AlreadyExists,
    /// No connection was made: the call has not taken effect.
    Unreachable,
    /// No answer: connection cut, no answer in time. Whether the call took effect is not known.
    Network,
    /// AWS failed inside. Whether the call took effect is not known.
    Unavailable,
    /// The endpoint lacks the call (HTTP status 501), as emulators do. It has not taken effect.
    NotImplemented,
    /// Any other error.
    Other,
}

/// `us-east-1: CreateStack: ValidationError: Stack name …`
impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_of_credentials {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}: ", self.region, self.operation)?;
        f.write_str(&self.answer())
    }
}

/// Returns whether these are CloudFormation's words for a stack that doesn't exist.
pub(super) fn says_missing(message: &str) -> bool {
    message.contains("does not exist")
}

impl AwsError {
    /// Reads an error of the SDK.
    pub(super) fn new<E>(
        operation: &'static str,
        region: &str,
        error: SdkError<E, Response>,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(profile) = find::<ProfileError>(&error) {
            return Self::of_credentials(operation, region, profile);
        }
        let code = error.code().map(str::to_owned);
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        if status == Some(501) {
            let words = error.message().unwrap_or_default();
            return Self::not_implemented(operation, region, code, words);
        }
        let kind = match &error {
            SdkError::ConstructionFailure(_) => ErrorKind::Other,
            SdkError::DispatchFailure(_) if is_unreachable(&error) => ErrorKind::Unreachable,
            SdkError::DispatchFailure(_)
            | SdkError::TimeoutError(_)
            | SdkError::ResponseError(_) => ErrorKind::Network,
            _ => code
                .as_deref()
                .map_or_else(|| kind_of_status(status), kind_of_code),
        };
        let connect = find::<ConnectError>(&error);
        let message = match (error.message(), connect, &error) {
            (_, Some(connect), _) => connect.to_string(),
            (Some(message), None, _) => message.to_owned(),
            // Where AWS sends no words, the SDK repeats the code, or shows its own innards.
            (None, None, SdkError::ServiceError(_)) => without_words(&code, status),
            (None, None, _) => Some(innermost(&error))
                .filter(|text| Some(text) != code.as_ref())
                .unwrap_or_default(),
        };
        let lost_attempt = error.raw_response().is_some_and(has_lost_attempt);
        let message = match error
            .raw_response()
            .filter(|_| status == Some(403))
            .and_then(clock_skew)
        {
            Some(skew) => format!("{message} ({skew})"),
            None => message,
        };
        Self {
            kind,
            code,
            lost_attempt,
            ..Self::unexpected(operation, region, message).connecting(connect)
        }
    }

    /// Returns the error of a call without usable settings or credentials.
    pub(super) fn of_credentials(
        operation: &'static str,
        region: &str,
        error: &ProfileError,
    ) -> Self {
        let unexpected = Self::unexpected(operation, region, error.message.clone());
        Self {
            kind: error.kind,
            help: error.help.clone(),
            is_of_credentials: true,
            ..unexpected
        }
    }

    /// Returns the error of a request that could not be signed for lack of credentials.
    pub(super) fn unsigned(operation: &'static str, region: &str, error: CredentialsError) -> Self {
        match find::<ProfileError>(&error) {
            Some(profile) => Self::of_credentials(operation, region, profile),
            None => Self {
                kind: ErrorKind::Credentials,
                ..Self::unexpected(operation, region, innermost(&error))
            },
        }
    }

    /// Returns the error of a request without an answer that was not sent by the SDK.
    pub(super) fn unanswered(
        operation: &'static str,
        region: &str,
        error: &ConnectorError,
    ) -> Self {
        let kind = if is_unreachable(error) {
            ErrorKind::Unreachable
        } else {
            ErrorKind::Network
        };
        let connect = find::<ConnectError>(error);
        let message = connect.map_or_else(|| innermost(error), ToString::to_string);
        Self {
            kind,
            ..Self::unexpected(operation, region, message).connecting(connect)
        }
    }

    /// Adds what is known where no connection was made.
    fn connecting(self, error: Option<&ConnectError>) -> Self {
        Self {
            help: error.and_then(ConnectError::help),
            is_permanent: error.is_some_and(|error| !error.may_pass()),
            ..self
        }
    }

    /// Returns the error of a call that is answered with HTTP status 501, as AWS's own emulator
    /// does for what it lacks
    /// (<https://docs.aws.amazon.com/emulator/latest/userguide/what-is-service.html>).
    pub(super) fn not_implemented(
        operation: &'static str,
        region: &str,
        code: Option<String>,
        words: &str,
    ) -> Self {
        let mut message = format!("the endpoint does not implement {operation} (HTTP status 501)");
        if !words.is_empty() {
            message = format!("{message}: {words}");
        }
        Self {
            kind: ErrorKind::NotImplemented,
            code,
            help: Some(
                "run against AWS or another emulator, or simulate AWS with `taskcat test run \
                 --local`"
                    .to_owned(),
            ),
            ..Self::unexpected(operation, region, message)
        }
    }

    /// Returns AWS's answer alone: `ValidationError: Stack name …`.
    pub fn answer(&self) -> String {
        match &self.code {
            Some(code) if self.message.is_empty() => code.clone(),
            Some(code) => format!("{code}: {}", self.message),
            None => self.message.clone(),
        }
    }

    /// Returns the text for a profile, which is named unless the error names it.
    pub fn of_profile(&self, profile: &str) -> String {
        if self.is_of_credentials {
            self.to_string()
        } else {
            format!("profile {profile}: {self}")
        }
    }

    /// Returns the error of an answer that breaks the API's contract.
    pub(super) fn unexpected(
        operation: &'static str,
        region: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind: ErrorKind::Other,
            operation,
            region: region.to_owned(),
            code: None,
            message: message.into(),
            lost_attempt: false,
            help: None,
            is_of_credentials: false,
            is_permanent: false,
        }
    }

    /// Returns an error that AWS answered with this code.
    pub(super) fn with_code(
        operation: &'static str,
        region: &str,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let code = code.into();
        Self {
            kind: kind_of_code(&code),
            code: Some(code),
            ..Self::unexpected(operation, region, message)
        }
    }

    /// Puts the thing that was asked for in front of AWS's words, which often don't name it.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.message = if self.message.is_empty() {
            name.to_owned()
        } else {
            format!("{name}: {}", self.message)
        };
        self
    }

    /// Returns whether the error is of this kind.
    pub fn is(&self, kind: ErrorKind) -> bool {
        self.kind == kind
    }

    /// Returns whether CloudFormation says that the stack or change set doesn't exist: a
    /// `ValidationError`, for which it has no code of its own.
    pub fn is_of_missing_stack(&self) -> bool {
        says_missing(&self.message)
    }

    /// Returns whether no answer came.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.kind, ErrorKind::Unreachable | ErrorKind::Network)
    }

    /// Returns whether the same call may succeed later.
    pub fn may_pass(&self) -> bool {
        let is_passing = matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Throttled);
        !self.is_permanent && (self.is_unanswered() || is_passing)
    }

    /// Returns whether the call may have taken effect all the same: an attempt got no answer, or
    /// none that says so.
    pub fn may_have_taken_effect(&self) -> bool {
        self.lost_attempt
            || matches!(self.kind, ErrorKind::Network | ErrorKind::Unavailable)
            || self.is(ErrorKind::Other) && self.code.is_none()
    }

    /// Returns whether AWS answered with this code.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// Returns what an error code of the services that the steps call means to a step.
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
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" => {
            ErrorKind::Denied
        }
        "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown" => ErrorKind::Throttled,
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
        "AlreadyExistsException" | "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" => {
            ErrorKind::AlreadyExists
        }
        _ => ErrorKind::Other,
    }
}

/// Returns the innermost source: the SDK's outer errors only say that something failed.
fn innermost(error: &dyn Error) -> String {
    let text = sources(error).last().unwrap_or_else(|| error.to_string());
    input::without_number(&text).to_owned()
}

/// Answers without a body, as those to HEAD are.
fn kind_of_status(status: Option<u16>) -> ErrorKind {
    match status {
        Some(401 | 403) => ErrorKind::Denied,
        Some(404) => ErrorKind::NotFound,
        Some(429) => ErrorKind::Throttled,
        Some(500..) => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

fn without_words(code: &Option<String>, status: Option<u16>) -> String {
    match (code, status) {
        (None, Some(status)) => format!("HTTP status {status}"),
        _ => String::new(),
    }
}

/// Returns how far this machine's clock is off. AWS refuses requests whose time is more than five
/// minutes from its own (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>,
/// `RequestTimeTooSkewed`).
fn clock_skew(response: &Response) -> Option<String> {
    const ALLOWED: f64 = 5.0 * 60.0;
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(response.headers().get("date")?)
        .ok()?;
    let ahead = jiff::Timestamp::now().duration_since(date).as_secs_f64();
    let direction = if ahead > 0.0 { "ahead of" } else { "behind" };
    let minutes = (ahead.abs() / 60.0).round();
    (ahead.abs() > ALLOWED).then(|| {
        format!("this machine's clock is {minutes} minutes {direction} that of AWS, {date}")
    })
}

fn sources(error: &dyn Error) -> impl Iterator<Item = String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(source) = next {
        causes.push(source.to_string());
        next = source.source();
    }
    causes.into_iter()
}
