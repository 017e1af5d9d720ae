//! `goldseed history`: the promotions of a pipeline, newest first.

use super::{ExitCode, Failure, Invocation, answer, guard};
use crate::display;
use crate::event::Emitter;
use crate::failure::ExitCode as Code;
use crate::pipeline::Plan;
use crate::run::{Ledger, LedgerError};

pub(super) async fn run(invocation: &Invocation, pipeline: &str) -> Result<ExitCode, Failure> {
    let (settings, library) = guard::read(invocation)?;
    let plan = Plan::without_recipes(&settings, pipeline, &library)?;
    let cloud = guard::connect(invocation, &settings, Emitter::silent()).await?;
    let ledger = Ledger::read(&cloud, &plan.pipeline)
        .await
        .map_err(|error| match error {
            LedgerError::Cloud(error) => Failure::from(error),
            other @ LedgerError::OtherEnvironment { .. } => {
                Failure::new(Code::Refused, other.to_string())
            }
        })?;
    if ledger.entries.is_empty() {
        return answer(&format!("pipeline `{pipeline}` has promoted nothing yet\n"));
    }
    let text = display::history(
        &ledger.entries,
        crate::pace::now(),
        display::answer_columns(),
    );
    answer(&text)
}
