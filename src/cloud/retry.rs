//! Which answers are worth another attempt: the classifier of the one retry layer, and what it cannot see by itself.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::ErrorKind as RetryKind;

/// The header by which [`FixedToken`] marks an answer.
const FIXED: &str = "x-goldseed-fixed-token";

/// Marks every answer to requests that were signed with a session token that nothing renews.
#[derive(Debug)]
pub(super) struct FixedToken;

#[dyn_dispatch_hint]
impl Intercept for FixedToken {
    fn name(&self) -> &'static str {
        "FixedToken"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.response_mut().headers_mut().insert(FIXED, "yes");
        Ok(())
    }
}

/// Whether the token of the request that brought this answer is one that nothing renews.
pub(super) fn is_fixed(
    answer: &aws_smithy_runtime_api::client::orchestrator::HttpResponse,
) -> bool {
    answer.headers().get(FIXED).is_some()
}

/// Retries what the SDK does not: credentials that the service calls expired, where their source can bring new ones
/// (it is asked again), and EC2's own names for "try again" (EC2 API reference, error codes).
#[derive(Debug)]
pub(super) struct AlsoHeals;

/// Codes as they stand in the body of an answer; the generic context knows no typed error.
const HEALING_CODES: [&str; 8] = [
    // One snapshot a volume in some seconds.
    "SnapshotCreationPerVolumeRateExceeded",
    "Unavailable",
    "InternalError",
    "InternalFailure",
    "ServerInternal",
    "ServiceUnavailable",
    "InternalServerError",
    "TooManyUpdates",
];

/// The codes of credentials that have ended. EC2 says `RequestExpired` of a session token too.
pub(super) const EXPIRED_CODES: [&str; 3] =
    ["ExpiredToken", "ExpiredTokenException", "RequestExpired"];

impl ClassifyRetry for AlsoHeals {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else {
            return RetryAction::NoActionIndicated;
        };
        // Proxies on the way say so by the status alone.
        match response.status().as_u16() {
            408 => return RetryAction::retryable_error(RetryKind::TransientError),
            429 => return RetryAction::retryable_error(RetryKind::ThrottlingError),
            ..400 => return RetryAction::NoActionIndicated,
            _ => {}
        }
        let Some(body) = response.body().bytes().map(String::from_utf8_lossy) else {
            return RetryAction::NoActionIndicated;
        };
        let names = |codes: &[&str]| codes.iter().any(|code| names_code(&body, code));
        match names(&EXPIRED_CODES) {
            true if is_fixed(response) => RetryAction::RetryForbidden,
            false if !names(&HEALING_CODES) => RetryAction::NoActionIndicated,
            _ => RetryAction::retryable_error(RetryKind::TransientError),
        }
    }

    fn name(&self) -> &'static str {
        "AlsoHeals"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Tells whether an error's body, XML or JSON, names just this code.
fn names_code(body: &str, code: &str) -> bool {
    body.contains(&format!("<Code>{code}</Code>"))
        || body.contains(&format!("\"{code}\""))
        || body.contains(&format!("#{code}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_whole() {
        assert!(names_code(
            "<Error><Code>ExpiredToken</Code></Error>",
            "ExpiredToken"
        ));
        assert!(!names_code(
            "<Error><Code>ExpiredTokenX</Code></Error>",
            "ExpiredToken"
        ));
        assert!(names_code(
            r#"{"__type":"com.amazonaws#ExpiredTokenException"}"#,
            "ExpiredTokenException"
        ));
        assert!(!names_code(
            r#"{"__type":"AccessDeniedException"}"#,
            "ExpiredTokenException"
        ));
    }
}
