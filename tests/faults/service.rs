//! Group 3: what a service or a network does for a while. A run survives it without anybody going on with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use goldseed::sandbox::{Fate, Request, Service};

use crate::case::{Outcome, Subject, Terms};
use crate::driver::PACE;
use crate::point::Point;

/// What goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Throttled five times.
    Throttled,
    /// A server error, three times.
    ServerError,
    /// An answer that comes after the attempt's time-out; what was asked for is done then.
    Stall,
    /// The connection is cut before anything is done.
    Dropped,
    /// The credentials have expired, once.
    Expired,
    /// What was just created is not found, twice.
    NotFound,
}

/// What can happen to any request and is soon over; a stall lasts.
pub(crate) const SHORT: [Weather; 4] = [
    Weather::Throttled,
    Weather::ServerError,
    Weather::Dropped,
    Weather::Expired,
];

/// Longer than the tool waits for one answer, at whatever pace.
const STALL: Duration = Duration::from_millis(3_500);

/// With this pace the deadlines of steps are much longer than a stall, as they are on AWS.
const PACE_OF_STALLS: f64 = 0.02;

impl Weather {
    fn times(self) -> usize {
        match self {
            Self::Throttled => 5,
            Self::ServerError => 3,
            Self::NotFound => 2,
            Self::Stall | Self::Dropped | Self::Expired => 1,
        }
    }

    fn fate(self, request: &Request) -> Fate {
        match self {
            Self::Throttled => Fate::throttled(request.service),
            Self::ServerError => Fate::Refuse {
                status: 500,
                code: match request.service {
                    Service::Ec2 => "InternalError",
                    Service::Ssm => "InternalServerError",
                    _ => "InternalFailure",
                }
                .to_owned(),
                message: "an internal error".to_owned(),
            },
            Self::Stall => Fate::Stall(STALL),
            Self::Dropped => Fate::LoseRequest,
            Self::Expired => {
                let code = match request.service {
                    Service::Ec2 => "RequestExpired",
                    Service::Ssm => "ExpiredTokenException",
                    _ => "ExpiredToken",
                };
                Fate::refused(
                    code,
                    "the security token included in the request is expired",
                )
            }
            Self::NotFound => {
                let code = match request.operation.as_str() {
                    "DescribeImages" => "InvalidAMIID.NotFound",
                    "DescribeInstances" => "InvalidInstanceID.NotFound",
                    _ => "InvocationDoesNotExist",
                };
                Fate::refused(code, "there is no such thing")
            }
        }
    }
}

/// Has this weather begin at a request.
pub(crate) fn at(subject: &Subject, point: &Point, weather: Weather) -> Outcome {
    let terms = Terms {
        pace: if weather == Weather::Stall {
            PACE_OF_STALLS
        } else {
            PACE
        },
        patience: 0,
    };
    let wanted = point.clone();
    let count = AtomicUsize::new(0);
    let outcome = subject.disturbed(terms, move |seen, request, _| {
        let same = seen.step == wanted.step && seen.operation == wanted.operation;
        let begun = same && seen.number >= wanted.number;
        (begun && count.fetch_add(1, Ordering::SeqCst) < weather.times())
            .then(|| weather.fate(request))
    });
    // How many looks there are depends on the clock where a soak time is watched: the last one may be another.
    if matches!(outcome, Outcome::NotReached) && point.number > 1 {
        let before = Point {
            number: point.number - 1,
            ..point.clone()
        };
        return at(subject, &before, weather);
    }
    outcome
}
