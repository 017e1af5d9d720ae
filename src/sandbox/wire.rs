//! What goes over the wire: which service is asked for what, and how answers and refusals look in its protocol.
//!
//! EC2, Elastic Beanstalk and STS speak the query protocol (a form in, XML out), Systems Manager speaks JSON 1.1.

pub(crate) mod json;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod xml;

use std::fmt;

use self::query::Query;
use self::xml::Xml;

/// A service of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Amazon EC2, version 2016-11-15.
    Ec2,
    /// AWS Elastic Beanstalk, version 2010-12-01.
    Beanstalk,
    /// AWS Systems Manager, version 2014-11-06.
    Ssm,
    /// AWS Security Token Service, version 2011-06-15.
    Sts,
    /// The few calls of Amazon S3 that application bundles need.
    Storage,
}

impl Service {
    /// The service that a query with this `Version` is meant for.
    pub(crate) fn of_version(version: &str) -> Option<Self> {
        match version {
            "2016-11-15" => Some(Self::Ec2),
            "2010-12-01" => Some(Self::Beanstalk),
            "2011-06-15" => Some(Self::Sts),
            _ => None,
        }
    }

    /// The service's endpoint prefix, as AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Beanstalk => "elasticbeanstalk",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
            Self::Storage => "s3",
        }
    }

    /// The XML namespace of the service's answers.
    fn namespace(self) -> &'static str {
        match self {
            Self::Ec2 => "http://ec2.amazonaws.com/doc/2016-11-15/",
            Self::Beanstalk => "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Ssm | Self::Storage => "http://s3.amazonaws.com/doc/2006-03-01/",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One request of a query service, taken apart.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) query: Query,
    pub(crate) request_id: String,
}

/// A refusal in the words of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl ApiError {
    /// A refusal with HTTP status 400, as nearly all of them have.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    /// A refusal with a status of its own.
    pub(crate) fn with_status(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// The answer of a query service to an operation that it does not have.
    pub(crate) fn invalid_action(operation: &str) -> Self {
        Self::new(
            "InvalidAction",
            format!("The action {operation} is not valid for this web service."),
        )
    }
}

/// An answer before it gets its `Date` and request id.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A query service's answer or refusal.
    pub(crate) fn of_query(
        service: Service,
        operation: &str,
        request_id: &str,
        outcome: Result<Xml, ApiError>,
    ) -> Self {
        let body = match &outcome {
            Ok(content) => answer(service, operation, request_id, content),
            Err(error) => refusal(service, request_id, error),
        };
        Self {
            status: outcome.err().map_or(200, |error| error.status),
            content_type: "text/xml;charset=UTF-8",
            body: body.into_bytes(),
        }
    }

    /// A JSON service's answer or refusal.
    pub(crate) fn of_json(outcome: Result<serde_json::Value, ApiError>) -> Self {
        let (status, body) = match outcome {
            Ok(body) => (200, body),
            Err(error) => (
                error.status,
                serde_json::json!({ "__type": error.code, "message": error.message }),
            ),
        };
        Self {
            status,
            content_type: "application/x-amz-json-1.1",
            body: body.to_string().into_bytes(),
        }
    }

    /// A refusal in the protocol of the service.
    pub(crate) fn refused(
        service: Service,
        operation: &str,
        request_id: &str,
        error: ApiError,
    ) -> Self {
        if service == Service::Ssm {
            Self::of_json(Err(error))
        } else {
            Self::of_query(service, operation, request_id, Err(error))
        }
    }

    /// Plain text, as the metadata service and the storage answer.
    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain",
            body: text.into().into_bytes(),
        }
    }
}

/// Operations whose model has no output at all: their answer has no result element.
const WITHOUT_RESULT: &[&str] = &["AbortEnvironmentUpdate"];

fn answer(service: Service, operation: &str, request_id: &str, content: &Xml) -> String {
    let namespace = service.namespace();
    let content = content.as_str();
    let inside = match service {
        Service::Ec2 => format!("<requestId>{request_id}</requestId>{content}"),
        _ if WITHOUT_RESULT.contains(&operation) => metadata(request_id),
        _ => format!(
            "<{operation}Result>{content}</{operation}Result>{}",
            metadata(request_id)
        ),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{operation}Response xmlns=\"{namespace}\">{inside}</{operation}Response>"
    )
}

fn metadata(request_id: &str) -> String {
    format!("<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>")
}

fn refusal(service: Service, request_id: &str, error: &ApiError) -> String {
    let mut inner = Xml::new();
    if matches!(service, Service::Beanstalk | Service::Sts) {
        let kind = if error.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        inner.text("Type", kind);
    }
    inner.text("Code", &error.code);
    inner.text("Message", &error.message);
    let inner = inner.as_str();
    let body = match service {
        Service::Ec2 => format!(
            "<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        ),
        Service::Storage | Service::Ssm => {
            format!("<Error>{inner}<RequestId>{request_id}</RequestId></Error>")
        }
        Service::Beanstalk | Service::Sts => format!(
            "<ErrorResponse xmlns=\"{}\"><Error>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            service.namespace()
        ),
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}")
}

/// Writes a moment as the XML protocols do: `2026-03-01T12:00:00.000Z`.
pub(crate) fn moment(timestamp: jiff::Timestamp) -> String {
    format!("{timestamp:.3}")
}
