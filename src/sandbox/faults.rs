//! Faults at the wire: what a test wants to go wrong with a request.
//!
//! Faults live here and not in the tool: to the tool a lost answer looks like one of a real network.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::wire::Service;

/// A request as the hook sees it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The service that is asked.
    pub service: Service,
    /// The operation, such as `RunInstances`.
    pub operation: String,
    /// The parameters: flat names for the query protocol, the body for JSON.
    pub parameters: serde_json::Value,
    /// How many requests for this operation came so far, with this one: from 1.
    pub occurrence: usize,
}

impl Request {
    /// A text parameter by its name on the wire.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name)?.as_str()
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is served.
    Serve,
    /// The connection is cut before anything is done.
    LoseRequest,
    /// Everything is done, and then the connection is cut.
    LoseAnswer,
    /// Nothing is done, and an error is answered.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The error's code.
        code: String,
        /// The error's message.
        message: String,
    },
    /// It is served after a while.
    Stall(Duration),
    /// It is done, and the answer is an HTTP error without a body that any client could read, as of a proxy.
    Garble(u16),
    /// Nothing is done, and a list without anything in it is answered, as by a server that has not heard of it yet; of
    /// the services that answer in XML.
    Empty,
}

impl Fate {
    /// The way in which the service throttles: HTTP 503 from EC2, 400 from the others.
    pub fn throttled(service: Service) -> Self {
        let (status, code) = match service {
            Service::Ec2 => (503, "RequestLimitExceeded"),
            Service::Beanstalk | Service::Sts => (400, "Throttling"),
            Service::Ssm => (400, "ThrottlingException"),
            Service::Storage => (503, "SlowDown"),
        };
        Self::Refuse {
            status,
            code: code.to_owned(),
            message: "Rate exceeded".to_owned(),
        }
    }

    /// An error with the status 400.
    pub fn refused(code: &str, message: &str) -> Self {
        Self::Refuse {
            status: 400,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }
}

/// Decides the fate of each request.
#[derive(Clone)]
pub struct Hook {
    decide: Arc<dyn Fn(&Request) -> Fate + Send + Sync>,
}

impl Hook {
    /// A hook that asks `decide`.
    pub fn new(decide: impl Fn(&Request) -> Fate + Send + Sync + 'static) -> Self {
        Self {
            decide: Arc::new(decide),
        }
    }

    /// What becomes of `request`.
    pub(crate) fn fate(&self, request: &Request) -> Fate {
        (self.decide)(request)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hook")
    }
}
