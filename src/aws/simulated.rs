//! Whether what answers says that it is no AWS, but a simulation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Stands in every answer of a simulator, errors too.
const HEADER: &str = "x-taskcat-simulated";

/// One for the process, and part of the clients whose answers are looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Simulated(Arc<AtomicBool>);

impl Simulated {
    /// Returns whether an answer so far said that AWS is simulated.
    pub(super) fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Simulated {
    fn name(&self) -> &'static str {
        "Simulated"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().headers().get(HEADER) == Some("true") {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
