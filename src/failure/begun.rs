//! What is said of runs that have begun to change data or what is in service.

use super::{ExitCode, Failure};
use crate::pipeline::{AbandonError, FailedMigration, Seen};
use crate::record::Verb;

impl From<AbandonError> for Failure {
    fn from(error: AbandonError) -> Self {
        let failure = Self::new(ExitCode::Refused, error.to_string());
        match error {
            AbandonError::Ended { .. } => {
                failure.hint("`goldseed sweep` shows whether dead runs have left anything")
            }
            AbandonError::Begun {
                run,
                pipeline,
                verb,
                seen,
                ..
            } => {
                let failure = failure.hint(format!("go on with it: goldseed resume {run}"));
                match seen {
                    Seen::InService if verb != Verb::Rollback => {
                        failure.hint(format!("or go back: goldseed rollback {pipeline}"))
                    }
                    Seen::Held(lease) => failure.hint(format!(
                        "nothing came of it yet, and a process of run {} may be at it until a minute after {}: try again \
                         then",
                        lease.run, lease.until
                    )),
                    Seen::Migrating(machine) => failure.hint(format!(
                        "it may still be at that on {machine}: look whether it is done there, terminate {machine}, then give \
                         the run up: goldseed abandon {run} --data-stays"
                    )),
                    Seen::DataStays => failure.hint(format!(
                        "or give it up and leave the data as it is now: goldseed abandon {run} --data-stays"
                    )),
                    Seen::InService | Seen::Unsent | Seen::Unclear => failure,
                }
            }
            AbandonError::InUse { run, .. } => failure
                .hint("take it out of use there first, or keep it")
                .hint(format!("or go on with it: goldseed resume {run}")),
            AbandonError::Pipeline(error) => (*error).into(),
        }
    }
}

impl From<FailedMigration> for Failure {
    fn from(migration: FailedMigration) -> Self {
        let FailedMigration {
            failed,
            run,
            environment,
            serves,
            breaks,
            reminders,
        } = migration;
        let machine = failed.instance.clone();
        let lives = if breaks {
            ", whose code cannot live with migrated data"
        } else {
            ""
        };
        let failure = Self::from(failed)
            .hint(format!(
                "nothing runs on {machine} any more, which stays for a look; {environment} runs {serves} as before{lives}, and \
                 other runs may change it"
            ))
            .hint(format!(
                "to go back restore the database from before this run, then end the run: goldseed abandon {run} \
                 --data-stays"
            ));
        reminders.into_iter().fold(failure, Self::hint)
    }
}
