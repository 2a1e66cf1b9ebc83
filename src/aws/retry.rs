//! Which calls are repeated, how often, and how long an answer may take.
//!
//! The SDK repeats calls that were throttled, that failed inside of AWS, or that got no answer. Its quota of retries is
//! lifted: it is shared by all calls of a client, so that a region that throttles would soon fail calls at their first
//! attempt. For buckets that were just created, [`NewBuckets`] adds that S3 may not see them yet.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};

/// With 40 % of all attempts failing, one call in 60,000 fails.
const ATTEMPTS: u32 = 12;
/// A new bucket may take most of a minute to become visible.
const S3_ATTEMPTS: u32 = 18;
/// The first call of a run: a wrong endpoint is reported within seconds.
const FIRST_CALL_ATTEMPTS: u32 = 8;

/// How long an endpoint may refuse connections, as one does that is being restarted.
const LONGEST_REFUSAL: Duration = Duration::from_secs(8);

/// How long S3 may not see a bucket after its creation.
const INVISIBLE: Duration = Duration::from_secs(60);

pub(super) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(500))
        .with_max_backoff(Duration::from_secs(5))
}

pub(super) fn s3_retries() -> RetryConfig {
    retries().with_max_attempts(S3_ATTEMPTS)
}

pub(super) fn first_call_retries() -> RetryConfig {
    retries().with_max_attempts(FIRST_CALL_ATTEMPTS).with_initial_backoff(Duration::from_millis(200))
}

/// Of one attempt.
pub(super) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).read_timeout(Duration::from_secs(30)).build()
}

/// Of one attempt that sends a file or a part of one, over a line that may be slow.
pub(super) fn upload_timeouts() -> TimeoutConfig {
    timeouts().to_builder().read_timeout(Duration::from_secs(300)).build()
}

/// Retries without a quota.
pub(super) fn partition() -> RetryPartition {
    RetryPartition::custom("taskcat").token_bucket(TokenBucket::unlimited()).build()
}

/// A bucket that these clients have created, and whether S3 has shown it since.
#[derive(Clone, Debug, Default)]
pub(super) struct NewBuckets(Arc<Mutex<Option<NewBucket>>>);

#[derive(Debug)]
struct NewBucket {
    created: Instant,
    seen: bool,
}

impl NewBuckets {
    pub fn created(&self) {
        *lock(&self.0) = Some(NewBucket { created: Instant::now(), seen: false });
    }

    /// A deletion that is repeated because its answer was lost finds nothing, if there was something before.
    pub fn deleting(&self) {
        let mut newest = lock(&self.0);
        if newest.as_ref().is_some_and(|bucket| bucket.seen) {
            *newest = None;
        }
    }
}

impl ClassifyRetry for NewBuckets {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let mut newest = lock(&self.0);
        let (Some(bucket), Some(response)) = (newest.as_mut(), context.response()) else {
            return RetryAction::NoActionIndicated;
        };
        let status = response.status();
        let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
        // An answer that was lost may leave a creation or deletion under way.
        if status.as_u16() == 409 && body.contains("<Code>OperationAborted<") {
            return RetryAction::transient_error();
        }
        // HEAD has no body to say what was not found.
        let is_missing = status.as_u16() == 404 && (body.is_empty() || body.contains("<Code>NoSuchBucket<"));
        // CreateBucket alone answers with a location.
        bucket.seen |= status.is_success() && response.headers().get("location").is_none();
        match is_missing && bucket.created.elapsed() < INVISIBLE {
            true => RetryAction::transient_error(),
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "new buckets"
    }
}

/// Gives up on an endpoint that has refused every connection for a while.
#[derive(Clone, Debug, Default)]
pub(super) struct RefusedConnections(Arc<Mutex<Option<Instant>>>);

impl ClassifyRetry for RefusedConnections {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let mut since = lock(&self.0);
        let error = context.output_or_error().and_then(|output| output.err());
        let refused = error.and_then(|error| error.as_connector_error()).is_some_and(|error| is_refused(error));
        if !refused {
            *since = None;
            return RetryAction::NoActionIndicated;
        }
        match since.get_or_insert_with(Instant::now).elapsed() < LONGEST_REFUSAL {
            true => RetryAction::NoActionIndicated,
            false => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "refused connections"
    }

    /// After those of the SDK, which repeat every call that got no answer.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        next = error.source();
    }
    false
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
