//! Checks that run right before a request leaves this machine.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Begins the text of a request that was held back; the error's kind is told by it.
pub(super) const HELD_BACK: &str = "held back before it was sent";

/// A condition that must hold each time a request is sent, the SDK's own retries included.
#[derive(Clone)]
pub struct Guard(Arc<dyn Fn() -> Result<(), String> + Send + Sync>);

impl Guard {
    /// A guard that calls `check`; an error is the reason for people.
    pub fn new(check: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Guard")
    }
}

#[dyn_dispatch_hint]
impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "Guard"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        (self.0)().map_err(|reason| format!("{HELD_BACK}: {reason}").into())
    }
}
