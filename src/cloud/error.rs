//! What AWS refused, in words that can be acted on.
//!
//! The text of an `SdkError` is only "service error", so everything is taken from its metadata: the code decides what
//! kind of failure it is (never the message, which is for people and may change), and operation, subject, code,
//! message and request id are printed.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;

use super::retry::{EXPIRED_CODES, is_fixed};

/// A call to AWS that failed for good, after the SDK's own retries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} of {subject} failed: {message}{}{}", self.code_text(), self.request_text())]
pub struct CloudError {
    /// The API operation: `CreateImage`.
    pub operation: &'static str,
    /// What it was about: an id or a name.
    pub subject: String,
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// The service's error code.
    pub code: Option<String>,
    /// The service's message, or what went wrong on the way to it.
    pub message: String,
    /// The id that AWS support asks for.
    pub request_id: Option<String>,
}

/// The kinds of failure that the tool treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The thing is not there, or not visible yet.
    NotFound,
    /// Something of that name exists already.
    AlreadyExists,
    /// The caller may not do this.
    Denied,
    /// The credentials are missing.
    NoCredentials,
    /// The environment or a configuration file says something that cannot be used; nothing was sent.
    Configuration,
    /// The credentials have expired, and nothing brings new ones by itself.
    Expired,
    /// The credentials have expired, and their source brings new ones.
    Renewing,
    /// Too many requests, even after the retries.
    Throttled,
    /// No answer: no connection, a time-out, a server error.
    Unreachable,
    /// A quota or the capacity is used up.
    Quota,
    /// The thing is in a state in which this cannot be done now.
    WrongState,
    /// A guard of ours held the request back right before it was sent.
    HeldBack,
    /// The answer lacks something that it must have.
    Malformed,
    /// Anything else: the request itself is wrong.
    Refused,
}

impl CloudError {
    /// Tells whether the same call may well work a little later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Throttled | ErrorKind::Unreachable | ErrorKind::Renewing
        )
    }

    /// Tells whether the service itself answered, and will answer otherwise in a while.
    pub(super) fn may_be_asked_again(&self) -> bool {
        // Credentials that were renewed in vain are not worth the silence.
        self.is_transient()
            && self.kind != ErrorKind::Renewing
            && (self.code.is_some() || self.request_id.is_some())
    }

    /// The error of an answer in which `field` is missing. The SDK reads a misspelt XML element as absent, so an
    /// absent field is never taken for a value.
    pub fn absent(operation: &'static str, subject: impl Into<String>, field: &str) -> Self {
        Self {
            operation,
            subject: subject.into(),
            kind: ErrorKind::Malformed,
            code: None,
            message: format!("the answer has no `{field}`"),
            request_id: None,
        }
    }

    /// Reads the SDK's error.
    pub(super) fn of<E>(
        operation: &'static str,
        subject: impl Into<String>,
        error: &SdkError<E>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = error.code().map(ToOwned::to_owned);
        let (kind, message) = match error {
            SdkError::ServiceError(context) => {
                let status = context.raw().status().as_u16();
                match (&code, error.message()) {
                    (None, None) => (
                        kind_of_status(status),
                        format!("HTTP {status} without an error of AWS's"),
                    ),
                    (_, message) => {
                        let message = message.unwrap_or("no message").to_owned();
                        let kind = match kind_of_code(code.as_deref(), &message, status) {
                            ErrorKind::Renewing if is_fixed(context.raw()) => ErrorKind::Expired,
                            kind => kind,
                        };
                        (kind, message)
                    }
                }
            }
            SdkError::TimeoutError(_) => (ErrorKind::Unreachable, "no answer in time".to_owned()),
            other => kind_of_transport(&chain_text(other)),
        };
        let request_id = error.meta().request_id().or_else(|| raw_request_id(error));
        Self {
            operation,
            subject: subject.into(),
            kind,
            code,
            message,
            request_id: request_id.map(ToOwned::to_owned),
        }
    }

    fn code_text(&self) -> String {
        self.code
            .as_ref()
            .map(|code| format!(" ({code})"))
            .unwrap_or_default()
    }

    fn request_text(&self) -> String {
        self.request_id
            .as_ref()
            .map(|id| format!(" [request {id}]"))
            .unwrap_or_default()
    }
}

fn raw_request_id<E>(error: &SdkError<E>) -> Option<&str> {
    let raw = error.raw_response()?;
    raw.headers()
        .get("x-amzn-requestid")
        .or_else(|| raw.headers().get("x-amz-request-id"))
}

/// Sorts a service's error. Codes: the EC2, Beanstalk and SSM API references; the throttling codes are those that
/// the SDK retries, and EC2's `Unavailable` and `InternalError`.
fn kind_of_code(code: Option<&str>, message: &str, status: u16) -> ErrorKind {
    let code = code.unwrap_or_default();
    match code {
        "ParameterNotFound" | "InvocationDoesNotExist" | "ParameterVersionNotFound" => {
            ErrorKind::NotFound
        }
        "ParameterAlreadyExists" | "InvalidAMIName.Duplicate" => ErrorKind::AlreadyExists,
        "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "OptInRequired"
        | "InsufficientPrivilegesException"
        | "InsufficientPrivileges"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "RequestTimeTooSkewed"
        | "AuthFailure" => ErrorKind::Denied,
        _ if EXPIRED_CODES.contains(&code) => ErrorKind::Renewing,
        "IncorrectInstanceState"
        | "IncorrectState"
        | "IncorrectStateException"
        | "OperationInProgress"
        | "TooManyUpdates" => ErrorKind::WrongState,
        // Beanstalk has no code of its own for this, only this sentence.
        "InvalidParameterValue" if message.contains("Must be Ready") => ErrorKind::WrongState,
        _ if code.ends_with(".NotFound") => ErrorKind::NotFound,
        _ if code.contains("Throttl")
            || code.ends_with("RateExceeded")
            || code == "RequestLimitExceeded"
            || code == "SlowDown" =>
        {
            ErrorKind::Throttled
        }
        _ if code.contains("LimitExceeded") || code.starts_with("Insufficient") => ErrorKind::Quota,
        "Unavailable"
        | "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "RequestTimeout" => ErrorKind::Unreachable,
        _ if status >= 500 => ErrorKind::Unreachable,
        _ => ErrorKind::Refused,
    }
}

/// Sorts an answer that names no code: a server of AWS's that is ill, or something else that answers in its place.
fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        429 => ErrorKind::Throttled,
        408 | 500.. => ErrorKind::Unreachable,
        _ => ErrorKind::Malformed,
    }
}

/// Sorts a failure on the way to the service by what its chain of causes says.
fn kind_of_transport(text: &str) -> (ErrorKind, String) {
    let lower = text.to_lowercase();
    let kind = if text.contains(super::guard::HELD_BACK) {
        ErrorKind::HeldBack
    } else if lower.contains("credential") || lower.contains("no identity") {
        if lower.contains("expired") {
            ErrorKind::Expired
        } else {
            ErrorKind::NoCredentials
        }
    } else {
        ErrorKind::Unreachable
    };
    (kind, text.to_owned())
}

/// Joins the lines of a list, as the SDK writes of all sources of credentials that it has tried.
pub(super) fn in_one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("; ").replace(":; ", ": ")
}

/// The causes of an SDK error, whose own text says no more than "service error".
fn chain_text<E: std::error::Error + 'static>(error: &SdkError<E>) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), with_causes)
}

/// Joins an error and its causes, without what was said already.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_and_messages_do_not() {
        for (code, message, status, kind) in [
            ("InvalidAMIID.NotFound", "", 400, ErrorKind::NotFound),
            (
                "InvalidAMIName.Duplicate",
                "",
                400,
                ErrorKind::AlreadyExists,
            ),
            ("Throttling", "Rate exceeded", 400, ErrorKind::Throttled),
            ("VcpuLimitExceeded", "", 400, ErrorKind::Quota),
            (
                "SnapshotCreationPerVolumeRateExceeded",
                "",
                400,
                ErrorKind::Throttled,
            ),
            ("InsufficientInstanceCapacity", "", 500, ErrorKind::Quota),
            (
                "InsufficientPrivilegesException",
                "",
                403,
                ErrorKind::Denied,
            ),
            (
                "InvalidParameterValue",
                "… Must be Ready.",
                400,
                ErrorKind::WrongState,
            ),
            (
                "InvalidParameterValue",
                "not found",
                400,
                ErrorKind::Refused,
            ),
            ("ExpiredTokenException", "", 403, ErrorKind::Renewing),
            ("RequestExpired", "", 400, ErrorKind::Renewing),
            ("AuthFailure", "", 401, ErrorKind::Denied),
            ("RequestTimeTooSkewed", "", 403, ErrorKind::Denied),
            ("", "", 503, ErrorKind::Unreachable),
        ] {
            assert_eq!(kind_of_code(Some(code), message, status), kind, "{code}");
        }
    }

    #[test]
    fn what_names_no_code_is_no_answer_of_aws_unless_it_may_heal() {
        for (status, kind) in [
            (200, ErrorKind::Malformed),
            (307, ErrorKind::Malformed),
            (403, ErrorKind::Malformed),
            (408, ErrorKind::Unreachable),
            (429, ErrorKind::Throttled),
            (502, ErrorKind::Unreachable),
        ] {
            assert_eq!(kind_of_status(status), kind, "{status}");
        }
    }

    #[test]
    fn the_text_names_operation_subject_code_and_request() {
        let error = CloudError {
            operation: "CreateImage",
            subject: "goldseed-shop".into(),
            kind: ErrorKind::Denied,
            code: Some("UnauthorizedOperation".into()),
            message: "you may not".into(),
            request_id: Some("1c2d".into()),
        };
        assert_eq!(
            error.to_string(),
            "CreateImage of goldseed-shop failed: you may not (UnauthorizedOperation) [request 1c2d]"
        );
    }
}
