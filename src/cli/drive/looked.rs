//! What is done and looked up after an interrupt, as far as it comes.

use super::ending::kept_lease;
use crate::cloud::CloudError;
use crate::pipeline::{self, Context, PipelineError};
use crate::run::{Run, StoreError};

/// What was done and found after an interrupt; none: nothing came of it.
#[derive(Default)]
pub(super) struct Looked {
    /// Whether this process still drives the run.
    pub(super) drives: Option<Result<(), StoreError>>,
    saved: Option<Result<(), StoreError>>,
    let_go: Option<Result<(), PipelineError>>,
    stopped: Option<Result<(), PipelineError>>,
    left: Option<Result<Facts, CloudError>>,
}

/// What exists: label and value.
pub(super) type Facts = Vec<(String, String)>;

impl Looked {
    /// Looks whether this process still drives the run; if so, has its record and its lease as they should be, ends what
    /// it runs on the seed, and looks up what exists.
    pub(super) async fn look(&mut self, context: &Context<'_>, run: &mut Run) {
        let drives = run.driver().must_drive().await;
        let drives = self.drives.insert(drives);
        if let Err(StoreError::TakenOver { .. }) = drives {
            return;
        }
        // What runs on the seed may be another process's.
        let may_stop = drives.is_ok();
        self.saved = Some(run.leave().await);
        let (run, cloud) = (&*run, context.cloud);
        let Self {
            let_go,
            stopped,
            left,
            ..
        } = self;
        // The seed may be silent for minutes.
        tokio::join!(
            async { *let_go = Some(pipeline::let_go(context, run).await) },
            async {
                if may_stop {
                    *stopped = Some(pipeline::stop_work(cloud, run.record()).await);
                }
            },
            async { *left = Some(pipeline::left_by(cloud, run.id()).await) },
        );
    }

    /// What did not come to its end.
    pub(super) fn open(&self) -> Vec<&'static str> {
        [
            (self.saved.is_none(), "whether the step is recorded"),
            (
                self.let_go.is_none(),
                "whether the environment is given back",
            ),
            (
                self.stopped.is_none(),
                "whether the recipes on the seed are stopped",
            ),
            (self.left.is_none(), "what exists"),
        ]
        .iter()
        .filter_map(|(open, what)| open.then_some(*what))
        .collect()
    }

    /// Tells what failed, and returns what exists.
    pub(super) fn tell(self, causes: &mut Vec<String>) -> Facts {
        if let Some(Err(error)) = self.drives {
            causes.push(format!(
                "who drives the run could not be looked up, so what runs on the seed was left alone: {error}"
            ));
        }
        if let Some(Err(error)) = self.let_go {
            causes.push(kept_lease(&error));
        }
        if let Some(Err(error)) = self.saved {
            causes.push(format!(
                "the step that was interrupted could not be recorded: {error}"
            ));
        }
        if let Some(Err(error)) = self.stopped {
            causes.push(format!(
                "what runs on the seed could not be stopped: {error}"
            ));
        }
        match self.left {
            Some(Ok(list)) => return list,
            Some(Err(error)) => causes.push(format!("what exists could not be looked up: {error}")),
            None => {}
        }
        Facts::new()
    }
}
