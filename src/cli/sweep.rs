//! `goldseed sweep`: what dead runs left, and what it costs; with `--yes` it is removed.

use std::cell::RefCell;

use clap::Args;

use super::attended::{Attended, attended};
use super::{ExitCode, Failure, Invocation, answer, drive, guard, signals};
use crate::display;
use crate::failure::ExitCode as Code;
use crate::pace;
use crate::pipeline::{self, Leftover, Stays};
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
    let environments: Vec<String> = settings
        .pipelines
        .values()
        .map(|pipeline| pipeline.environment.clone())
        .collect();
    let found = async {
        let cloud = guard::connect(invocation, &settings, display.emitter()).await?;
        let found = pipeline::leftovers(&cloud, &pipelines, &environments).await?;
        Ok::<_, Failure>((cloud, found))
    };
    let (cloud, found) = match signals::heeded(Box::pin(found)).await {
        Ok(found) => found,
        Err(failure) => return drive::ended(&display, Err(failure)),
    };
    let list = &found.leftovers;
    let mut text = match list.len() {
        0 => "dead runs have left nothing\n".to_owned(),
        _ => table(list),
    };
    text.push_str(&staying(&found.stays));
    if list.is_empty() {
        drive::ended(&display, Ok(()))?;
        return answer(&text);
    }
    if !sweep.yes {
        drive::ended(&display, Ok(()))?;
        text.push_str("\nnothing was removed; to remove it: goldseed sweep --yes\n");
        return answer(&text);
    }
    // What is about to go is told first: whoever reads it later knows what it was.
    answer(&text)?;
    let results = RefCell::new(Vec::new());
    let who = drive::who(invocation);
    let work = pipeline::remove(&cloud, list, &who, &results);
    let halted = match attended(&cloud, Box::pin(work)).await {
        Attended::Ended(()) | Attended::Halted(_, Some(())) => None,
        Attended::Halted(halted, None) => Some(halted.signal),
    };
    drive::ended(&display, Ok(()))?;
    ending(list, &results.into_inner(), halted)
}

/// What is said of what became of the leftovers; `signal` is what ended it before its end.
fn ending(
    list: &[Leftover],
    results: &[Result<(), String>],
    signal: Option<&str>,
) -> Result<ExitCode, Failure> {
    let told = list.iter().zip(results);
    let failed: Vec<String> = told
        .clone()
        .filter_map(|(leftover, result)| {
            let error = result.as_ref().err()?;
            Some(format!("{} was not removed: {error}", leftover.what.id()))
        })
        .collect();
    let total = list.len();
    if let Some(signal) = signal {
        let removed = told.filter(|(_, result)| result.is_ok());
        let removed: Vec<&str> = removed.map(|(one, _)| one.what.id()).collect();
        let count = removed.len();
        let message = format!("interrupted by {signal}; {count} of {total} are removed");
        let mut failure = Failure::new(Code::Interrupted, message).hint(AGAIN);
        if !removed.is_empty() {
            let text = format!("removed: {}", removed.join(", "));
            failure.causes.push(text);
        }
        failure.causes.extend(failed);
        return Err(failure);
    }
    if failed.is_empty() {
        return answer(&format!("\nall {total} are removed\n"));
    }
    let message = format!("{} of {total} were not removed", failed.len());
    let mut failure = Failure::new(Code::Aws, message).hint(AGAIN);
    failure.causes = failed;
    Err(failure)
}

/// How a sweep goes on.
const AGAIN: &str = "go on with: goldseed sweep --yes; what is left is found again";

/// What stays and is worth a word, a line each.
fn staying(list: &[Stays]) -> String {
    list.iter().fold(String::new(), |text, stays| {
        let gap = if text.is_empty() { "\n" } else { "" };
        format!("{text}{gap}{}: {}\n", stays.id, stays.why)
    })
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
    text.push_str(&together(list));
    text
}

/// What all of it costs, in a sentence.
fn together(list: &[Leftover]) -> String {
    let prices = list.iter().filter_map(|leftover| leftover.monthly);
    // An empty sum is minus zero.
    let known: f64 = prices.clone().fold(0.0, std::ops::Add::add);
    match list.len() - prices.count() {
        0 => format!("\ntogether about ${known:.2} a month by the list prices of us-east-1\n"),
        all if all == list.len() => "\nwhat it costs a month is not known\n".to_owned(),
        unknown => format!(
            "\ntogether about ${known:.2} a month by the list prices of us-east-1, without {unknown} of unknown price\n"
        ),
    }
}

/// A price for people; what costs nothing has none.
fn price(monthly: Option<f64>) -> String {
    match monthly {
        None => "unknown price".to_owned(),
        Some(monthly) if monthly <= 0.0 => String::new(),
        Some(monthly) => format!("about ${monthly:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::What;

    fn leftover(monthly: Option<f64>) -> Leftover {
        Leftover {
            what: What::Parameter("/goldseed/shop/runs/r/1".into()),
            label: "record".into(),
            run: None,
            pipeline: "shop".into(),
            since: None,
            why: String::new(),
            monthly,
        }
    }

    #[test]
    fn what_is_known_of_the_costs_is_summed_up_and_nothing_is_made_up() {
        let said = |prices: &[Option<f64>]| {
            let list: Vec<Leftover> = prices.iter().copied().map(leftover).collect();
            together(&list).trim().to_owned()
        };
        assert_eq!(said(&[None]), "what it costs a month is not known");
        let of_region = "a month by the list prices of us-east-1";
        assert_eq!(
            said(&[Some(0.0)]),
            format!("together about $0.00 {of_region}")
        );
        assert_eq!(
            said(&[Some(1.0), None, Some(0.5)]),
            format!("together about $1.50 {of_region}, without 1 of unknown price")
        );
    }
}
