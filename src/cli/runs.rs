//! Runs as the command line names them.

use super::Failure;
use crate::cloud::Cloud;
use crate::failure::ExitCode as Code;
use crate::id::RunId;
use crate::record::RunRecord;
use crate::run::{self, StoreError};
use crate::settings::Settings;

/// Reads a run's id from the command line.
pub(super) fn id(text: &str) -> Result<RunId, Failure> {
    if RunId::is_well_formed(text) {
        return Ok(RunId::new(text));
    }
    Err(Failure::new(Code::Usage, format!("`{text}` is not a run"))
        .hint("a run is called like 20261123-034512-7f3a; `goldseed status` lists them"))
}

/// Finds the record of a run among the pipelines of the settings.
pub(super) async fn find(
    cloud: &Cloud,
    settings: &Settings,
    run: &RunId,
) -> Result<RunRecord, Failure> {
    for name in settings.pipelines.keys() {
        match run::latest(cloud, name, run).await {
            Ok(record) => return Ok(record),
            Err(StoreError::Unknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let message = format!("no pipeline of {} has a run {run}", settings.path.display());
    Err(Failure::new(Code::Invalid, message)
        .hint("`goldseed status PIPELINE` lists the runs there are"))
}
