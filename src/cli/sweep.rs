//! `goldseed sweep`: what dead runs left, and what it costs; with `--yes` it is removed.

use std::fmt::Write as _;

use clap::Args;

use super::{ExitCode, Failure, Invocation, answer, drive, guard};
use crate::display;
use crate::failure::ExitCode as Code;
use crate::pace;
use crate::pipeline::{self, Leftover};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Sweep {
    /// Remove it; without this it is only shown
    #[arg(long)]
    yes: bool,
}

const HEADERS: [&str; 7] = ["id", "what", "pipeline", "run", "age", "a month", "why"];

pub(super) async fn run(invocation: &Invocation, sweep: &Sweep) -> Result<ExitCode, Failure> {
    let settings = Settings::load(&invocation.global.file)?;
    let display = drive::plain_display(invocation);
    let pipelines: Vec<String> = settings.pipelines.keys().cloned().collect();
    let found = async {
        let cloud = guard::connect(invocation, &settings, display.emitter()).await?;
        let list = pipeline::leftovers(&cloud, &pipelines).await?;
        Ok::<_, Failure>((cloud, list))
    };
    let (cloud, list) = match found.await {
        Ok(found) => found,
        Err(failure) => return drive::ended(&display, Err(failure)),
    };
    if list.is_empty() {
        drive::ended(&display, Ok(()))?;
        return answer("dead runs have left nothing\n");
    }
    let mut text = table(&list);
    if !sweep.yes {
        drive::ended(&display, Ok(()))?;
        text.push_str("\nnothing was removed; to remove it: goldseed sweep --yes\n");
        return answer(&text);
    }
    // What is about to go is told first: whoever reads it later knows what it was.
    answer(&text)?;
    let results = pipeline::remove(&cloud, &list).await;
    drive::ended(&display, Ok(()))?;
    let failed: Vec<String> = list
        .iter()
        .zip(results)
        .filter_map(|(leftover, result)| {
            let error = result.err()?;
            Some(format!("{} was not removed: {error}", leftover.what.id()))
        })
        .collect();
    if failed.is_empty() {
        return answer(&format!("\nall {} are removed\n", list.len()));
    }
    let message = format!("{} of {} were not removed", failed.len(), list.len());
    let mut failure = Failure::new(Code::Aws, message)
        .hint("try again later: goldseed sweep --yes; what is left is found again");
    failure.causes = failed;
    Err(failure)
}

fn table(list: &[Leftover]) -> String {
    let now = pace::now();
    let rows: Vec<Vec<String>> = list
        .iter()
        .map(|leftover| {
            let run = leftover.run.as_ref().map(ToString::to_string);
            let age = leftover.since.map(|since| display::age(since, now));
            vec![
                leftover.what.id().to_owned(),
                leftover.label.clone(),
                leftover.pipeline.clone(),
                run.unwrap_or_default(),
                age.unwrap_or_default(),
                price(leftover.monthly),
                leftover.why.clone(),
            ]
        })
        .collect();
    let mut text = display::table(&HEADERS, &rows, display::answer_columns());
    let known: f64 = list.iter().filter_map(|leftover| leftover.monthly).sum();
    let unknown = list
        .iter()
        .filter(|leftover| leftover.monthly.is_none())
        .count();
    write!(
        text,
        "\ntogether about ${known:.2} a month by the list prices of us-east-1"
    )
    .expect("a String takes everything");
    if unknown > 0 {
        write!(text, ", without {unknown} of unknown price").expect("a String takes everything");
    }
    text.push('\n');
    text
}

/// A price for people; what costs nothing has none.
fn price(monthly: Option<f64>) -> String {
    match monthly {
        None => "unknown price".to_owned(),
        Some(monthly) if monthly <= 0.0 => String::new(),
        Some(monthly) => format!("about ${monthly:.2}"),
    }
}
