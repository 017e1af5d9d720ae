//! The load balancer of an environment: HTTP/1.1, round robin over the targets whose health checks pass.
//!
//! It behaves as an Application Load Balancer does where the tool and its users can see it: 503 without a healthy
//! target, 502 when a target cannot be reached or breaks off, the `Host` header passed through, `X-Forwarded-…` added,
//! checks that expect 200 and change their mind only after two equal answers.

mod forward;
mod target;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use self::target::{InFlight, Member};
use super::clock;

/// Where an instance answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// At an address.
    Http(SocketAddr),
    /// Nowhere: it is simulated, and well.
    Simulated,
    /// Nowhere: it is simulated, passes its checks, and answers with this status and page.
    Page(u16, &'static str),
}

/// What the balancer thinks of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetHealth {
    /// Not judged yet.
    Initial,
    /// Its checks pass.
    Healthy,
    /// Its checks fail, with the last reason.
    Unhealthy(String),
}

/// A load balancer; cheap to clone.
#[derive(Clone)]
pub(crate) struct Balancer {
    listen: SocketAddr,
    pool: Arc<Pool>,
    accepting: AbortHandle,
}

/// The targets, as the requests and the checks see them.
struct Pool {
    members: Mutex<BTreeMap<String, Arc<Member>>>,
    /// Counts the requests, so that each goes to the next target.
    turn: AtomicUsize,
    health_path: Mutex<String>,
    pace: Mutex<f64>,
}

impl fmt::Debug for Balancer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = lock(&self.pool.members);
        let names: Vec<_> = members.keys().collect();
        formatter
            .debug_struct("Balancer")
            .field("listen", &self.listen)
            .field("members", &names)
            .finish_non_exhaustive()
    }
}

impl Balancer {
    /// Listens at an address (port 0 takes any that is free) and serves until [`Balancer::shutdown`].
    pub(crate) async fn start(listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let listen = listener.local_addr()?;
        let pool = Arc::new(Pool {
            members: Mutex::default(),
            turn: AtomicUsize::new(0),
            health_path: Mutex::new("/".to_owned()),
            pace: Mutex::new(1.0),
        });
        let accepting = tokio::spawn(accept(listener, pool.clone())).abort_handle();
        Ok(Self {
            listen,
            pool,
            accepting,
        })
    }

    /// The address to visit.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Scales the pause between health checks, for targets that are registered from now on.
    pub(crate) fn set_pace(&self, pace: f64) {
        *lock(&self.pool.pace) = pace;
    }

    /// Adds an instance, or gives it another address; requests reach it as soon as its checks pass.
    pub(crate) fn register(&self, instance_id: &str, target: Target) {
        let pause = target::CHECK_EVERY.mul_f64(*lock(&self.pool.pace));
        let member = Member::new(instance_id, target);
        if let Target::Http(address) = target {
            let pool = self.pool.clone();
            member.check_with(pause, address, move || lock(&pool.health_path).clone());
        }
        lock(&self.pool.members).insert(instance_id.to_owned(), member);
    }

    /// Takes an instance out: it gets no new requests, and those under way go on; the value
    /// returned tells when they are over.
    pub(crate) fn deregister(&self, instance_id: &str) -> Option<InFlight> {
        let member = lock(&self.pool.members).remove(instance_id)?;
        Some(member.in_flight())
    }

    /// Takes an instance out and waits for its requests under way, for at most so long.
    pub(crate) async fn drain(&self, instance_id: &str, patience: Duration) {
        let Some(in_flight) = self.deregister(instance_id) else {
            return;
        };
        // Past the patience the balancer cuts requests off, as a deregistration delay does.
        drop(tokio::time::timeout(patience, in_flight.finished()).await);
    }

    /// Sets the path that health checks ask for.
    pub(crate) fn set_health_path(&self, path: &str) {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        *lock(&self.pool.health_path) = path;
    }

    /// What the checks say of an instance; one that is not registered has not been judged.
    pub(crate) fn health(&self, instance_id: &str) -> TargetHealth {
        lock(&self.pool.members)
            .get(instance_id)
            .map_or(TargetHealth::Initial, |member| member.health())
    }

    /// Stops listening and checking, and cuts what is under way.
    pub(crate) fn shutdown(&self) {
        self.accepting.abort();
        lock(&self.pool.members).clear();
    }
}

impl Pool {
    /// The targets that may get the next request, the one whose turn it is first.
    fn healthy(&self) -> Vec<Arc<Member>> {
        let mut members: Vec<_> = lock(&self.members)
            .values()
            .filter(|member| member.health() == TargetHealth::Healthy)
            .cloned()
            .collect();
        if !members.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % members.len();
            members.rotate_left(turn);
        }
        members
    }
}

/// Accepts connections; ends with the balancer, and the connections with it.
async fn accept(listener: TcpListener, pool: Arc<Pool>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, client)) = listener.accept().await else {
            // Of one connection that was given up, or no descriptors are left for a moment.
            clock::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let port = stream.local_addr().map_or(80, |address| address.port());
        let pool = pool.clone();
        connections.spawn(async move {
            let service = service_fn(|request| forward::answer(&pool, client, port, request));
            // A client that breaks off is its own affair.
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

/// Locks; a thread that panicked with the lock cannot leave a state that is worse than its own.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
