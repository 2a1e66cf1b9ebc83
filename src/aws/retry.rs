//! How long a call is repeated: one policy for every API.
//!
//! The SDK decides which errors are worth another attempt. For how long is decided here, by time
//! instead of a number of attempts: throttling is waited out for minutes, since it passes as soon
//! as others ask less; errors inside of AWS and lost connections for a minute and a half; a refused
//! connection, behind which nobody listens, and a host that no name server knows, for seconds. The
//! SDK's quota of retries is lifted: all calls of a client share it, so that a region that
//! throttles would soon fail calls at their first attempt.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use backon::ExponentialBuilder;
use tokio::time::Instant;

use super::http::{ConnectError, LookupError, find};
use super::pacing::Pace;

/// How long a throttled call is repeated. A region that throttles for so long does nothing.
pub(super) const LONGEST_THROTTLING: Duration = Duration::from_secs(10 * 60);
/// How long a call is repeated that fails inside of AWS or whose answer is lost.
const LONGEST_FAILURE: Duration = Duration::from_secs(90);
/// How long an endpoint may refuse connections, or its host be unknown, as while it is restarted.
const LONGEST_REFUSAL: Duration = Duration::from_secs(8);
/// The same in attempts for the first call of a run: a wrong endpoint is reported at once. boto3
/// makes as many (`DEFAULT_MAX_ATTEMPTS` in botocore's `retries/standard.py`).
pub(super) const FIRST_CALL_ATTEMPTS: u32 = 3;

/// More than fit into the times; the SDK derives a limit for loading credentials from it.
const MOST_ATTEMPTS: u32 = 250;
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Each throttled attempt counts against the limit, so these are further apart.
const LONGEST_THROTTLED_BACKOFF: Duration = Duration::from_secs(15);

/// A header of an answer: an earlier attempt of the call may have taken effect.
const LOST_ATTEMPT: &str = "x-taskcat-lost-attempt";

/// Returns the SDK's configuration; [`RetryLimits`] decides its number of attempts anew after each.
pub(super) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(MOST_ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF)
}

/// Returns the waits between attempts of a call that doesn't go through the SDK.
pub(super) fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(FIRST_BACKOFF)
        .with_max_delay(LONGEST_BACKOFF)
        .without_max_times()
}

/// Retries without a quota.
pub(super) fn partition() -> RetryPartition {
    RetryPartition::custom("taskcat")
        .token_bucket(TokenBucket::unlimited())
        .build()
}

/// Limits of one attempt. The SDK itself ends answers that stall half-way.
pub(super) fn timeouts(call: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(call.min(Duration::from_secs(5)))
        .read_timeout(call)
        .build()
}

/// Why an attempt failed, as far as its repetition depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFailure {
    Throttled,
    /// Nobody listens.
    ConnectionRefused,
    /// No name server knows the host.
    HostNotFound,
    /// No connection for another reason: a time limit, a proxy, no answer of a name server.
    NotConnected,
    Other,
}

impl CallFailure {
    /// Returns whether the call may be repeated `elapsed` after its start.
    pub(super) fn may_pass(self, elapsed: Duration) -> bool {
        elapsed
            < match self {
                Self::Throttled => LONGEST_THROTTLING,
                Self::ConnectionRefused | Self::HostNotFound => LONGEST_REFUSAL,
                Self::NotConnected | Self::Other => LONGEST_FAILURE,
            }
    }

    fn longest_backoff(self) -> Duration {
        match self {
            Self::Throttled => LONGEST_THROTTLED_BACKOFF,
            _ => LONGEST_BACKOFF,
        }
    }

    /// Returns what kept a request from being sent, or its answer from coming.
    fn of_connection(error: &(dyn Error + 'static)) -> Self {
        if is_refused_connection(error) {
            return Self::ConnectionRefused;
        }
        match find::<LookupError>(error) {
            Some(lookup) if lookup.is_temporary() => return Self::NotConnected,
            Some(_) => return Self::HostNotFound,
            None => {}
        }
        match find::<ConnectError>(error) {
            Some(_) => Self::NotConnected,
            None => Self::Other,
        }
    }

    /// Returns whether no connection was made, so that the call can't have taken effect.
    fn is_unreachable(self) -> bool {
        matches!(
            self,
            Self::ConnectionRefused | Self::HostNotFound | Self::NotConnected
        )
    }
}

/// Decides after each attempt of a call whether another may follow. Clones share what they know of
/// the endpoint.
#[derive(Clone, Debug)]
pub(super) struct RetryLimits {
    pace: Arc<Pace>,
    /// Since when no connection to the endpoint was made, whatever the call.
    unreachable_since: Arc<Mutex<Option<Instant>>>,
    is_first_call: bool,
    /// The user's own limit.
    attempts: Option<u32>,
}

impl RetryLimits {
    /// Creates limits that report throttled and successful calls to `pace`.
    pub(super) fn new(pace: Arc<Pace>) -> Self {
        Self {
            pace,
            unreachable_since: Arc::default(),
            is_first_call: false,
            attempts: None,
        }
    }

    /// Returns the limits of the first call of a run.
    pub(super) fn of_first_call(&self) -> Self {
        Self {
            is_first_call: true,
            ..self.clone()
        }
    }

    /// Allows at most so many attempts of a call, as `AWS_MAX_ATTEMPTS` says.
    pub(super) fn with_attempts(self, attempts: Option<u32>) -> Self {
        Self { attempts, ..self }
    }

    /// Returns whether the user's limit allows another attempt.
    pub(super) fn allows_attempt_after(&self, attempts: u32) -> bool {
        self.attempts.is_none_or(|limit| attempts < limit)
    }

    fn may_follow(&self, failure: CallFailure, api: &str, call: &CallState, attempts: u32) -> bool {
        if !self.allows_attempt_after(attempts) {
            return false;
        }
        match failure {
            // Repeated by its caller, who may have to stop meanwhile.
            CallFailure::Throttled if api == "CreateStack" => false,
            failure
                if failure.is_unreachable()
                    && self.is_first_call
                    && attempts >= FIRST_CALL_ATTEMPTS =>
            {
                false
            }
            failure if failure.is_unreachable() => {
                let since = *self.unreachable_since().get_or_insert_with(Instant::now);
                failure.may_pass(since.elapsed())
            }
            _ => failure.may_pass(call.started.elapsed()),
        }
    }

    fn unreachable_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unreachable_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of a call while it is repeated.
#[derive(Clone, Debug)]
struct CallState {
    started: Instant,
    /// An attempt may have taken effect although it failed.
    lost_attempt: bool,
}

impl Storable for CallState {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for RetryLimits {
    fn name(&self) -> &'static str {
        "RetryLimits"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(CallState {
            started: Instant::now(),
            lost_attempt: false,
        });
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let api = config
            .load::<Metadata>()
            .map(|call| call.name().to_owned())
            .unwrap_or_default();
        let Some(Err(error)) = context.output_or_error() else {
            self.pace.succeeded(&api);
            *self.unreachable_since() = None;
            return Ok(());
        };
        let Some(mut call) = config.load::<CallState>().cloned() else {
            return Ok(());
        };
        let attempts = config
            .load::<RequestAttempts>()
            .map_or(1, RequestAttempts::attempts);
        let connector = error
            .as_connector_error()
            .map(|error| error as &(dyn Error + 'static));
        let failure = match context.response() {
            Some(response) if is_throttled(response) => CallFailure::Throttled,
            None => connector.map_or(CallFailure::Other, CallFailure::of_connection),
            Some(_) => CallFailure::Other,
        };
        if failure == CallFailure::Throttled {
            self.pace.throttled(&api);
        }
        if !failure.is_unreachable() {
            *self.unreachable_since() = None;
        }
        if call.lost_attempt
            && let Some(response) = context.response_mut()
        {
            response.headers_mut().insert(LOST_ATTEMPT, "true");
        }
        let is_answered = context
            .response()
            .is_some_and(|response| !response.status().is_server_error());
        call.lost_attempt |= failure == CallFailure::Other && !is_answered;
        let mut next = retries().with_max_backoff(failure.longest_backoff());
        if !self.may_follow(failure, &api, &call, attempts) {
            next = next.with_max_attempts(1);
        }
        config.interceptor_state().store_put(call);
        config.interceptor_state().store_put(next);
        Ok(())
    }
}

/// Returns whether an earlier attempt of the call that was answered so may have taken effect.
pub(super) fn has_lost_attempt(response: &Response) -> bool {
    response.headers().contains_key(LOST_ATTEMPT)
}

/// Returns whether the service answers that it is called too often, by its error code; S3's answers
/// to HEAD have only a status
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
fn is_throttled(response: &Response) -> bool {
    const CODES: [&str; 6] = [
        "Throttling",
        "Throttled",
        "RequestLimitExceeded",
        "TooManyRequests",
        "SlowDown",
        "Rate exceeded",
    ];
    let status = response.status().as_u16();
    if status < 400 {
        return false;
    }
    match response.body().bytes().map(String::from_utf8_lossy) {
        Some(body) if !body.is_empty() => CODES.iter().any(|code| body.contains(code)),
        _ => status == 429 || status == 503,
    }
}

/// Returns whether no connection was made, so that the call can't have taken effect.
pub(super) fn is_unreachable(error: &(dyn Error + 'static)) -> bool {
    CallFailure::of_connection(error).is_unreachable()
}

/// Returns whether the connection was refused.
fn is_refused_connection(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn throttling_is_told_from_other_errors() {
        let check = |status: u16, body: &str, expected: bool| {
            let response =
                Response::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
            assert_eq!(is_throttled(&response), expected, "{status} {body}");
        };
        check(
            400,
            "<Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error>",
            true,
        );
        check(503, "<Error><Code>SlowDown</Code></Error>", true);
        check(
            503,
            "<Error><Code>RequestLimitExceeded</Code></Error>",
            true,
        );
        check(400, r#"{"__type":"ThrottlingException"}"#, true);
        check(503, "", true);
        check(429, "", true);
        check(500, "", false);
        check(503, "<Error><Code>ServiceUnavailable</Code></Error>", false);
        check(403, "<Error><Code>AccessDenied</Code></Error>", false);
        check(200, "Throttling", false);
    }

    #[test]
    fn a_refused_connection_is_found_below_other_errors() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(is_refused_connection(&ConnectorError::io(refused.into())));
        assert!(!is_refused_connection(&io::Error::from(
            io::ErrorKind::ConnectionReset
        )));
    }

    #[test]
    fn the_first_call_gives_up_early_where_no_connection_is_made() {
        let call = CallState {
            started: Instant::now(),
            lost_attempt: false,
        };
        let later = RetryLimits::new(Arc::default());
        let first = later.of_first_call();
        for failure in [
            CallFailure::ConnectionRefused,
            CallFailure::HostNotFound,
            CallFailure::NotConnected,
        ] {
            let follows = |limits: &RetryLimits, attempts| {
                limits.may_follow(failure, "GetCallerIdentity", &call, attempts)
            };
            assert!(follows(&first, 2), "{failure:?}");
            assert!(!follows(&first, 3), "{failure:?}");
            assert!(follows(&later, 3), "{failure:?}");
        }
        assert!(first.may_follow(CallFailure::Other, "GetCallerIdentity", &call, 3));
    }

    #[test]
    fn every_failure_is_repeated_for_a_while_and_not_for_ever() {
        for failure in [
            CallFailure::Throttled,
            CallFailure::ConnectionRefused,
            CallFailure::HostNotFound,
            CallFailure::NotConnected,
            CallFailure::Other,
        ] {
            assert!(failure.may_pass(Duration::from_secs(1)), "{failure:?}");
            assert!(!failure.may_pass(LONGEST_THROTTLING), "{failure:?}");
        }
        assert!(CallFailure::Throttled.may_pass(LONGEST_FAILURE));
        assert!(!CallFailure::Other.may_pass(LONGEST_FAILURE));
    }
}
