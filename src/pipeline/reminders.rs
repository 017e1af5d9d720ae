//! Reminders: what the instances of an environment want a person to remember, such as a site that is still in maintenance.
//!
//! A recipe leaves a program in `/opt/goldseed/reminders.d`, which prints a line as long as there is something left to do
//! and nothing otherwise. A running instance is asked, for only the site itself knows; where none answers, that is said.

use super::{Context, deployed};
use crate::record::RunRecord;

/// Runs the programs and marks the end, by which an answer is known to be whole.
const SCRIPT: &str = include_str!("reminders.sh");

/// Reads the reminders of the pipeline's environment; of one whose instances cannot be asked, a line that says so.
pub(super) async fn read(context: &Context<'_>) -> Vec<String> {
    let plan = context.plan;
    let environment = context
        .cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await;
    let asked = match environment {
        Ok(environment) => {
            deployed::ask_one(
                context.cloud,
                &environment,
                "goldseed-reminders",
                SCRIPT,
                whole,
            )
            .await
        }
        Err(error) => Err(error.to_string()),
    };
    asked.unwrap_or_else(|reason| {
        vec![format!(
            "data was migrated, and no instance of {} could be asked whether something is left to do, such as to end a \
             maintenance ({reason})",
            plan.environment
        )]
    })
}

/// Whether one of these runs has migrated data, after which something may be left to do.
pub(super) fn may_be<'a>(runs: impl IntoIterator<Item = &'a RunRecord>) -> bool {
    runs.into_iter()
        .any(|run| super::changed_data(run).is_some())
}

/// The lines of an answer that is whole.
fn whole(text: &str) -> Result<Option<Vec<String>>, String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match lines.pop() {
        Some(last) if last == "end" => Ok(Some(lines)),
        _ => Err("its answer is not complete".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_its_end_is_no_answer() {
        assert_eq!(whole("end\n"), Ok(Some(Vec::new())));
        assert_eq!(
            whole("in maintenance\nend\n"),
            Ok(Some(vec!["in maintenance".to_owned()]))
        );
        for cut in ["", "in maintenance\n", "in maintenance"] {
            assert!(whole(cut).is_err(), "{cut:?}");
        }
    }
}
