//! Buckets that were just created, which S3 may not see yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextMut, InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use super::INVISIBLE;

/// A header of an answer after which the call is repeated.
const REPEAT: &str = "x-taskcat-repeat";

/// The buckets that a region's clients have created. Calls that don't find one of them are repeated
/// for a while.
#[derive(Clone, Debug, Default)]
pub(super) struct NewBuckets(Arc<Mutex<HashMap<String, NewBucket>>>);

#[derive(Debug)]
struct NewBucket {
    created: Instant,
    /// S3 has shown it since.
    seen: bool,
}

impl NewBuckets {
    /// Notes a bucket whose creation is requested.
    pub(super) fn created(&self, bucket: &str) {
        self.with(|buckets| {
            buckets.insert(
                bucket.to_owned(),
                NewBucket {
                    created: Instant::now(),
                    seen: false,
                },
            )
        });
    }

    /// Forgets a bucket that S3 has shown: a deletion that is repeated because its answer was lost
    /// finds nothing.
    pub(super) fn deleting(&self, bucket: &str) {
        self.with(|buckets| buckets.retain(|name, it| name != bucket || !it.seen));
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, NewBucket>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The URI of the current attempt: the SDK drops the request before it hands over the answer.
#[derive(Debug)]
struct AttemptUri(String);

impl Storable for AttemptUri {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for NewBuckets {
    fn name(&self) -> &'static str {
        "NewBuckets"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config
            .interceptor_state()
            .store_put(AttemptUri(context.request().uri().to_owned()));
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(uri), Some(response)) = (config.load::<AttemptUri>(), context.response_mut())
        else {
            return Ok(());
        };
        if self.is_to_be_repeated(&uri.0, response) {
            response.headers_mut().insert(REPEAT, "true");
        }
        Ok(())
    }
}

impl NewBuckets {
    fn is_to_be_repeated(&self, uri: &str, response: &Response) -> bool {
        let status = response.status();
        let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
        // HEAD has no body to say what was not found.
        let is_missing =
            status.as_u16() == 404 && (body.is_empty() || body.contains("<Code>NoSuchBucket<"));
        // An answer that was lost may leave a creation or deletion under way.
        let is_under_way = status.as_u16() == 409 && body.contains("<Code>OperationAborted<");
        self.with(|buckets| {
            let Some((_, bucket)) = buckets.iter_mut().find(|(name, _)| is_of_bucket(uri, name))
            else {
                return false;
            };
            // CreateBucket alone answers with a location.
            bucket.seen |= status.is_success() && response.headers().get("location").is_none();
            is_under_way || is_missing && bucket.created.elapsed() < INVISIBLE
        })
    }
}

impl ClassifyRetry for NewBuckets {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(response) if response.headers().contains_key(REPEAT) => {
                RetryAction::transient_error()
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "NewBuckets"
    }
}

/// Returns whether a request to `uri` is about the bucket: `https://BUCKET.s3.…` or
/// `https://…/BUCKET/…`.
fn is_of_bucket(uri: &str, bucket: &str) -> bool {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_host = host
        .strip_prefix(bucket)
        .is_some_and(|rest| rest.starts_with('.'));
    is_host
        || path
            .strip_prefix(bucket)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_tells_its_bucket() {
        let check =
            |uri: &str, expected: bool| assert_eq!(is_of_bucket(uri, "tcat-a"), expected, "{uri}");
        check("https://tcat-a.s3.eu-west-1.amazonaws.com/key", true);
        check("http://localhost:4566/tcat-a/key", true);
        check("http://localhost:4566/tcat-a?tagging", true);
        check("http://localhost:4566/tcat-a", true);
        check("http://localhost:4566/tcat-ab/key", false);
        check("https://tcat-ab.s3.eu-west-1.amazonaws.com/tcat-a", true);
        check("https://s3.eu-west-1.amazonaws.com/other/tcat-a", false);
    }
}
