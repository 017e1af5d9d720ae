//! One target of a balancer: its health checks, and the requests that are under way to it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::super::clock;
use super::{Target, TargetHealth, lock};

/// The pause between two checks, before scaling (Beanstalk's environments check every 15 s, which nobody waits for in
/// a rehearsal).
pub(super) const CHECK_EVERY: Duration = Duration::from_secs(5);
/// The pause is never shorter, whatever the pace.
const CHECK_AT_MOST_EVERY: Duration = Duration::from_millis(200);
/// A check that takes longer has failed (Beanstalk's default time-out).
const CHECK_WITHIN: Duration = Duration::from_secs(5);
/// How many equal answers in a row change the verdict.
const THRESHOLD: u32 = 2;

/// An instance behind the balancer.
pub(super) struct Member {
    pub(super) instance_id: String,
    pub(super) target: Target,
    judgement: Arc<Mutex<Judgement>>,
    in_flight: watch::Sender<usize>,
    checking: Mutex<Option<AbortHandle>>,
}

impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Member")
            .field("instance_id", &self.instance_id)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Member {
    pub(super) fn new(instance_id: &str, target: Target) -> Arc<Self> {
        let mut judgement = Judgement::default();
        if matches!(target, Target::Simulated | Target::Page(..)) {
            judgement.health = TargetHealth::Healthy;
        }
        Arc::new(Self {
            instance_id: instance_id.to_owned(),
            target,
            judgement: Arc::new(Mutex::new(judgement)),
            in_flight: watch::Sender::new(0),
            checking: Mutex::default(),
        })
    }

    /// Checks the target until it is dropped.
    pub(super) fn check_with(
        &self,
        pause: Duration,
        address: SocketAddr,
        path: impl Fn() -> String + Send + 'static,
    ) {
        let judgement = self.judgement.clone();
        let pause = pause.max(CHECK_AT_MOST_EVERY);
        let task = tokio::spawn(async move {
            loop {
                let answer = tokio::time::timeout(CHECK_WITHIN, check(address, &path()))
                    .await
                    .unwrap_or_else(|_| Err("Request timed out".to_owned()));
                lock(&judgement).weigh(answer);
                clock::sleep(pause).await;
            }
        });
        *lock(&self.checking) = Some(task.abort_handle());
    }

    pub(super) fn health(&self) -> TargetHealth {
        lock(&self.judgement).health.clone()
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn enter(&self) -> Guard {
        self.in_flight.send_modify(|count| *count += 1);
        Guard(self.in_flight.clone())
    }

    /// How many requests are under way.
    #[cfg(test)]
    pub(super) fn requests_under_way(&self) -> usize {
        *self.in_flight.borrow()
    }

    pub(super) fn in_flight(&self) -> InFlight {
        InFlight(self.in_flight.subscribe())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.checking).take() {
            task.abort();
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Guard(watch::Sender<usize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// The requests under way to an instance that was taken out.
#[derive(Debug)]
pub(crate) struct InFlight(watch::Receiver<usize>);

impl InFlight {
    /// Waits until the last one is over.
    pub(crate) async fn finished(mut self) {
        // An error means that all senders, and so all requests, are gone.
        drop(self.0.wait_for(|count| *count == 0).await);
    }
}

/// What a row of checks amounts to.
#[derive(Debug)]
struct Judgement {
    health: TargetHealth,
    good: u32,
    bad: u32,
}

impl Default for Judgement {
    fn default() -> Self {
        Self {
            health: TargetHealth::Initial,
            good: 0,
            bad: 0,
        }
    }
}

impl Judgement {
    /// Takes one more answer into account: the verdict changes after two equal ones.
    fn weigh(&mut self, answer: Result<(), String>) {
        match answer {
            Ok(()) => {
                self.good += 1;
                self.bad = 0;
                if self.good >= THRESHOLD {
                    self.health = TargetHealth::Healthy;
                }
            }
            Err(reason) => {
                self.good = 0;
                self.bad += 1;
                if self.bad >= THRESHOLD {
                    self.health = TargetHealth::Unhealthy(reason);
                }
            }
        }
    }
}

/// Asks once; the reasons are worded as a target group's.
async fn check(address: SocketAddr, path: &str) -> Result<(), String> {
    let refused = |error: &dyn fmt::Display| format!("Connection failed: {error}");
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| refused(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| refused(&error))?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path)
        .header("Host", address.to_string())
        .header("User-Agent", "ELB-HealthChecker/2.0")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| refused(&error));
    connection.abort();
    match answer?.status().as_u16() {
        200 => Ok(()),
        code => Err(format!("Health checks failed with these codes: [{code}]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_needs_two_equal_answers_in_a_row() {
        let mut judgement = Judgement::default();
        judgement.weigh(Ok(()));
        assert_eq!(judgement.health, TargetHealth::Initial);
        judgement.weigh(Ok(()));
        assert_eq!(judgement.health, TargetHealth::Healthy);
        judgement.weigh(Err("slow".to_owned()));
        judgement.weigh(Ok(()));
        judgement.weigh(Err("slow".to_owned()));
        assert_eq!(judgement.health, TargetHealth::Healthy, "a stumble");
        judgement.weigh(Err("down".to_owned()));
        assert_eq!(
            judgement.health,
            TargetHealth::Unhealthy("down".to_owned()),
            "with the last reason"
        );
    }
}
