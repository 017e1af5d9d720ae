//! A driver of runs inside this process: what the binary does with a run, without its display. It is killed by no
//! longer being polled, and stopped and continued in the same way, so nothing of the tool knows of it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use goldseed::cloud::{Cloud, Connection, LocalAws};
use goldseed::event::{Emitter, Event};
use goldseed::id::RunId;
use goldseed::pace::Pace;
use goldseed::pipeline::{self, Accepted, Consent, Context, DataStays, PipelineError, Plan};
use goldseed::record::{RunRecord, Verb, Verdict};
use goldseed::run::{NewRun, Run, runs};

use crate::Trouble;
use crate::world::World;

/// How much faster than AWS everything is waited for.
pub(crate) const PACE: f64 = 0.002;

static PLAN: OnceLock<Plan> = OnceLock::new();

/// The pipeline of the world's project.
pub(crate) const PIPELINE: &str = "shop";

/// How a driver came to its end.
#[derive(Debug)]
pub(crate) enum Ending {
    /// What was asked for was done.
    Done,
    /// It ended with an error; the verdict that was recorded, if any.
    Failed(Box<PipelineError>, Option<Verdict>),
    /// It was killed.
    Killed,
}

/// What a hook may do to a driver, and what it may know of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reins(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    killed: AtomicBool,
    stopped: AtomicBool,
    step: Mutex<String>,
    waker: Mutex<Option<Waker>>,
}

impl Reins {
    /// The step that the driver is at; before the first one `start`.
    pub(crate) fn step(&self) -> String {
        let step = self.0.step.lock().unwrap_or_else(PoisonError::into_inner);
        if step.is_empty() {
            "start".to_owned()
        } else {
            step.clone()
        }
    }

    /// Ends the driver where it is: it never does anything again.
    pub(crate) fn kill(&self) {
        self.0.killed.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Stops the driver, as SIGSTOP does, or has it go on.
    pub(crate) fn stop(&self, stopped: bool) {
        self.0.stopped.store(stopped, Ordering::SeqCst);
        self.wake();
    }

    /// Tells whether these are the reins of the same driver.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn wake(&self) {
        let waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = waker.as_ref() {
            waker.wake_by_ref();
        }
    }

    fn at(&self, step: &str) {
        step.clone_into(&mut self.0.step.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Polls the work unless it is stopped; none once it was killed.
    pub(crate) async fn steer<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| {
            let mut waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner);
            *waker = Some(context.waker().clone());
            drop(waker);
            if self.0.killed.load(Ordering::SeqCst) {
                Poll::Ready(None)
            } else if self.0.stopped.load(Ordering::SeqCst) {
                Poll::Pending
            } else {
                work.as_mut().poll(context).map(Some)
            }
        })
        .await
    }
}

/// A driver of one world's pipeline.
#[derive(Debug)]
pub(crate) struct Driver {
    endpoint: String,
    plan: &'static Plan,
    who: String,
    pace: f64,
    pub(crate) reins: Reins,
}

impl Driver {
    /// A driver that calls itself `who`.
    pub(crate) fn of(world: &World, who: &str) -> Self {
        Self {
            endpoint: world.sandbox.endpoint(),
            // All worlds have the same project.
            plan: PLAN.get_or_init(|| world.plan()),
            who: who.to_owned(),
            pace: PACE,
            reins: Reins::default(),
        }
    }

    /// With another pace.
    pub(crate) fn at_pace(mut self, pace: f64) -> Self {
        self.pace = pace;
        self
    }

    /// Starts a run and drives it to its end.
    pub(crate) async fn start(&self, verb: Verb) -> Result<Ending, Trouble> {
        self.steered(async |cloud| {
            let new = NewRun {
                pipeline: PIPELINE.to_owned(),
                verb,
                environment: self.plan.environment.clone(),
                who: self.who.clone(),
                plan: self.plan.sections(),
                asked: std::collections::BTreeMap::new(),
            };
            Run::start(cloud, new).await
        })
        .await
    }

    /// Goes on with a run.
    pub(crate) async fn resume(&self, run: &RunId) -> Result<Ending, Trouble> {
        self.steered(async |cloud| Run::resume(cloud, PIPELINE, run, &self.who).await)
            .await
    }

    /// Ends a run that nobody will go on with.
    pub(crate) async fn abandon(&self, record: &RunRecord) -> Result<(), Trouble> {
        let cloud = self.connect().await?;
        pipeline::must_be_removable(&cloud, record, DataStays::default()).await?;
        pipeline::abandon(&cloud, record, &self.who, DataStays::default(), None).await?;
        Ok(())
    }

    /// The records of all runs, the newest first.
    pub(crate) async fn records(&self) -> Result<Vec<RunRecord>, Trouble> {
        let cloud = self.connect().await?;
        let mut records = Vec::new();
        for record in runs(&cloud, PIPELINE).await? {
            records.push(record?);
        }
        Ok(records)
    }

    /// Connects as the binary does.
    pub(crate) async fn connect(&self) -> Result<Cloud, Trouble> {
        let reins = self.reins.clone();
        let events = Emitter::new(move |event| {
            if let Event::StepStarted { step, .. } = event {
                reins.at(step.as_str());
            }
        });
        let connection = Connection {
            region: Some("eu-central-1".to_owned()),
            profile: None,
            pace: Pace::new(self.pace).unwrap_or_default(),
            local: Some(LocalAws {
                endpoint: self.endpoint.clone(),
                access_key: None,
            }),
        };
        Ok(Cloud::connect(connection, events).await?)
    }

    async fn steered(
        &self,
        begin: impl AsyncFnOnce(&Cloud) -> Result<Run, goldseed::run::StoreError>,
    ) -> Result<Ending, Trouble> {
        let cloud = self.connect().await?;
        let driven = Box::pin(async {
            match begin(&cloud).await {
                Ok(run) => self.drive(&cloud, run).await,
                Err(error) => Ok(Ending::Failed(Box::new(error.into()), None)),
            }
        });
        self.reins.steer(driven).await.unwrap_or(Ok(Ending::Killed))
    }

    async fn drive(&self, cloud: &Cloud, mut run: Run) -> Result<Ending, Trouble> {
        let context = Context {
            cloud,
            plan: self.plan,
            who: &self.who,
            attended: true,
        };
        let result = match run.record().verb {
            Verb::Rollback => {
                pipeline::rollback(&mut run, &context, "", &Accepted::default()).await
            }
            _ => pipeline::rebuild(&mut run, &context, Consent::default()).await,
        };
        let Err(error) = result else {
            return Ok(match run.finish(Verdict::Done).await {
                Ok(()) => Ending::Done,
                // Somebody else went on with the run meanwhile, or its end could not be recorded.
                Err(error) => Ending::Failed(Box::new(error.into()), None),
            });
        };
        // As the binary does.
        let mut verdict = error.verdict().filter(|_| error.ends(run.record()));
        if let Some(ended) = verdict
            && run.finish(ended).await.is_err()
        {
            verdict = None;
        }
        // The lease ends by itself where it cannot be given back.
        drop(pipeline::let_go(&context, &run).await);
        Ok(Ending::Failed(Box::new(error), verdict))
    }
}
