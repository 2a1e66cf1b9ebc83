//! `--debug`: one line for every attempt at a call, without its content.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Logs every attempt at a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace;

#[dyn_dispatch_hint]
impl Intercept for Trace {
    fn name(&self) -> &'static str {
        "Trace"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = config.load::<Metadata>() {
            let service = call.service();
            let operation = call.name();
            // The path is a bucket and a key at most; the query may hold a presigned signature.
            let url = context
                .request()
                .uri()
                .split('?')
                .next()
                .unwrap_or_default();
            tracing::debug!("{service} {operation} {url}");
        }
        Ok(())
    }
}
