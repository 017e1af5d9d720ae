//! The shared handle of a sandbox: its state, its machines, and what was asked of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use super::clock::Clock;
use super::faults::{Fate, Hook, Request};
use super::machines::Machines;
use super::secrets;
use super::state::State;
use super::storage::Storage;
use super::wire::Service;
use super::{MachineKind, Options};

/// One request that was made.
#[derive(Clone, Debug)]
pub struct RequestSeen {
    /// The service that was asked.
    pub service: Service,
    /// The operation, such as `RunInstances`.
    pub operation: String,
    /// The parameters: flat names for the query protocol, the body for JSON.
    pub parameters: serde_json::Value,
    /// The request id of the answer.
    pub request_id: String,
    /// When it came.
    pub at: jiff::Timestamp,
    /// What the hook made of it.
    pub fate: Fate,
    /// The HTTP status of the answer; none if the connection was cut.
    pub status: Option<u16>,
}

/// A handle that does not keep the sandbox alive: for what the machines call back.
#[derive(Clone, Debug)]
pub(crate) struct WeakCore {
    inner: Weak<Inner>,
}

impl WeakCore {
    /// The handle, while the sandbox lives.
    pub(crate) fn upgrade(&self) -> Option<Core> {
        Some(Core {
            inner: self.inner.upgrade()?,
        })
    }
}

/// The shared handle; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: Options,
    state: Mutex<State>,
    machines: Machines,
    storage: Arc<Storage>,
    hook: Mutex<Option<Hook>>,
    seen: Mutex<Seen>,
    /// How many requests are under way.
    underway: watch::Sender<usize>,
    /// When the machines were last asked which of them run.
    looked: Mutex<Option<Instant>>,
    /// The five workers of each node's agent.
    workers: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: VecDeque<RequestSeen>,
    occurrences: BTreeMap<(Service, String), usize>,
}

/// A request is under way while this lives.
#[derive(Debug)]
pub(crate) struct Underway(Core);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.inner.underway.send_modify(|count| *count -= 1);
    }
}

/// So many requests are remembered: more than any test makes, and no more than a laptop has memory for.
const MOST_REQUESTS: usize = 20_000;

/// How many commands the agent of a node runs at once (amazon-ssm-agent's default).
const AGENT_WORKERS: usize = 5;

impl Core {
    /// A handle on a new, nearly empty world.
    pub(crate) fn new(options: Options, machines: Machines) -> Self {
        let clock = match options.machines {
            MachineKind::Simulated => Clock::Polls,
            MachineKind::Containers => Clock::Paced(options.pace),
        };
        let storage = Arc::new(Storage::new(options.state.join("storage")));
        let state = State::new(&options.region, &options.account, clock, storage.clone());
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                storage,
                hook: Mutex::new(options.hook.clone()),
                seen: Mutex::default(),
                underway: watch::Sender::default(),
                looked: Mutex::default(),
                workers: Mutex::default(),
                machines,
                options,
            }),
        }
    }

    /// A handle that does not keep the sandbox alive.
    pub(crate) fn downgrade(&self) -> WeakCore {
        WeakCore {
            inner: Arc::downgrade(&self.inner),
        }
    }

    /// The state, locked. Never hold it over an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner.state)
    }

    /// How it is set up.
    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The machines.
    pub(crate) fn machines(&self) -> &Machines {
        &self.inner.machines
    }

    /// The objects of the storage.
    pub(crate) fn storage(&self) -> &Storage {
        &self.inner.storage
    }

    /// Tells whether the machines are simulated.
    pub(crate) fn is_simulated(&self) -> bool {
        self.inner.options.machines == MachineKind::Simulated
    }

    /// The factor by which the durations of real AWS are scaled.
    pub(crate) fn pace(&self) -> f64 {
        self.inner.options.pace
    }

    /// How often the world advances by itself: every second of real AWS, with real machines only.
    pub(crate) fn tick(&self) -> Option<Duration> {
        (!self.is_simulated())
            .then(|| Duration::from_secs_f64(self.inner.options.pace).max(MINIMAL_TICK))
    }

    /// Replaces the hook.
    pub(crate) fn set_hook(&self, hook: Option<Hook>) {
        *lock(&self.inner.hook) = hook;
    }

    /// Counts a request and asks the hook what becomes of it.
    pub(crate) fn fate(
        &self,
        service: Service,
        operation: &str,
        parameters: &serde_json::Value,
    ) -> Fate {
        let occurrence = {
            let mut seen = lock(&self.inner.seen);
            let count = seen
                .occurrences
                .entry((service, operation.to_owned()))
                .or_default();
            *count += 1;
            *count
        };
        let hook = lock(&self.inner.hook).clone();
        hook.map_or(Fate::Serve, |hook| {
            hook.fate(&Request {
                service,
                operation: operation.to_owned(),
                parameters: parameters.clone(),
                occurrence,
            })
        })
    }

    /// Counts a request as under way until the guard is dropped.
    pub(crate) fn underway(&self) -> Underway {
        self.inner.underway.send_modify(|count| *count += 1);
        Underway(self.clone())
    }

    /// Waits until no request is under way.
    pub(crate) async fn until_served(&self) {
        let mut underway = self.inner.underway.subscribe();
        let served = underway.wait_for(|count| *count == 0).await;
        served.expect("its sender is here");
    }

    /// Remembers a request with its outcome and without its secrets; of too many the oldest are forgotten.
    pub(crate) fn remember(&self, mut request: RequestSeen) {
        secrets::mask(&mut request.parameters);
        let requests = &mut lock(&self.inner.seen).requests;
        if requests.len() == MOST_REQUESTS {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    /// The last requests, at most [`MOST_REQUESTS`].
    pub(crate) fn requests(&self) -> Vec<RequestSeen> {
        lock(&self.inner.seen).requests.iter().cloned().collect()
    }

    /// The workers of a node's agent.
    pub(crate) fn workers(&self, instance_id: &str) -> Arc<Semaphore> {
        lock(&self.inner.workers)
            .entry(instance_id.to_owned())
            .or_insert_with(|| Arc::new(Semaphore::new(AGENT_WORKERS)))
            .clone()
    }

    /// Notices machines that were shut down from inside, as EC2 does: their instances are stopping then.
    pub(crate) async fn notice_shutdowns(&self) {
        let Machines::Containers(machines) = self.machines() else {
            return;
        };
        {
            let mut looked = lock(&self.inner.looked);
            if looked.is_some_and(|at| at.elapsed() < BETWEEN_LOOKS) {
                return;
            }
            *looked = Some(Instant::now());
        }
        let before = self.state().machines_up();
        // An engine that does not answer says nothing about its machines.
        let Ok(running) = machines.running().await else {
            return;
        };
        let mut state = self.state();
        let up = state.machines_up();
        for id in before.difference(&running).filter(|id| up.contains(*id)) {
            state.note_shutdown(id);
        }
    }

    /// Terminates all machines and shuts the balancers down.
    pub(crate) async fn close(&self) {
        let instances = {
            let mut state = self.state();
            for environment in state.environments.values_mut() {
                environment.shut_balancer();
            }
            state.machines_left()
        };
        for instance_id in instances {
            // The machine may be gone already; nothing is left to tell anybody.
            drop(self.inner.machines.terminate(&instance_id).await);
        }
        drop(self.inner.machines.close().await);
    }
}

/// Asking the container engine costs a process.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Faster ticks find nothing new and only cost time.
const MINIMAL_TICK: Duration = Duration::from_millis(100);

/// Locks; a thread that panicked with the lock cannot leave a state that is worse than its own.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
