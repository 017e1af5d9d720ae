//! `goldseed status`: what an environment is on and what its pipeline has.

mod troubles;

use std::fmt::Write as _;

use super::{ExitCode, Failure, Invocation, answer, guard};
use crate::cloud::tags;
use crate::display;
use crate::event::Emitter;
use crate::pipeline::{self, Context, Instances, Kind, Plan, Status};
use crate::record::{BaseImage, Lease};

/// How many images and runs are listed.
const MOST: usize = 10;

pub(super) async fn run(invocation: &Invocation, pipeline: &str) -> Result<ExitCode, Failure> {
    let (settings, library) = guard::read(invocation)?;
    let plan = Plan::without_recipes(&settings, pipeline, &library)?;
    let cloud = guard::connect(invocation, &settings, Emitter::silent()).await?;
    let who = &invocation.surroundings.person;
    let status = pipeline::status(&Context {
        cloud: &cloud,
        plan: &plan,
        who,
        attended: true,
    })
    .await?;
    answer(&render(&status, display::answer_columns()))
}

fn render(status: &Status, columns: usize) -> String {
    let environment = &status.environment;
    let health = environment
        .health_status
        .as_deref()
        .unwrap_or(&environment.health);
    let Instances {
        all,
        in_service,
        others,
    } = status.instances;
    let base = match &status.base {
        BaseImage::Platform(_) => format!("{} (the platform's own)", status.base_image),
        BaseImage::Custom(image) => image.to_string(),
    };
    let mut text = unfinished(status);
    write!(
        text,
        "{} ({}): {}, health {health}\n  base image {base}\n  {in_service} of {all} instances in service",
        environment.name, environment.id, environment.status
    )
    .expect("a String takes everything");
    if others > 0 {
        write!(text, ", {others} of them on another image").expect("a String takes everything");
    }
    text.push('\n');
    text.push_str(&troubles::causes(&status.troubles));
    text.push_str(&version(status));
    if let Some(endpoint) = &environment.endpoint {
        writeln!(text, "  http://{endpoint}/").expect("a String takes everything");
    }
    match &status.lease {
        Ok(None) if !environment.is_ready() => {
            writeln!(text, "  {}", pipeline::out_of(environment))
                .expect("a String takes everything");
        }
        Ok(None) => {}
        Ok(Some(lease)) => writeln!(
            text,
            "  held by run {} of {} until {}",
            lease.run, lease.who, lease.until
        )
        .expect("a String takes everything"),
        Err(error) => {
            let way_out = error.way_out().unwrap_or_default();
            writeln!(text, "  {error}\n  {way_out}").expect("a String takes everything");
        }
    }
    if let Some(entry) = &status.last {
        writeln!(
            text,
            "  last change: {} to {} ({})",
            entry.kind.as_str(),
            entry.current,
            entry.when
        )
        .expect("a String takes everything");
    }
    for reminder in &status.reminders {
        writeln!(text, "  left to do: {reminder}").expect("a String takes everything");
    }
    text.push_str(&troubles::events(&status.troubles));
    text.push_str(&golden_images(status, columns));
    text.push_str(&runs(status, columns));
    text
}

/// The deployed application version, and what it means for images that need the bridge.
fn version(status: &Status) -> String {
    let mut text = format!("  application version {}\n", status.deployed.describe());
    if status.bridged && status.deployed.kind() == Some(Kind::Plain) {
        text.push_str(
            "  no instance serves an image's code: add the bridge (goldseed bridge --into BUNDLE) and deploy that\n",
        );
    }
    text
}

/// The runs that have begun to change the environment and have not ended: what they did, who is at it, and what goes on
/// with them.
fn unfinished(status: &Status) -> String {
    let mut text = String::new();
    for run in status.runs.iter().flatten() {
        let Some(left) = pipeline::left_behind(run, &status.environment.id) else {
            continue;
        };
        let holds = |lease: &Lease| lease.run == run.run;
        let held = matches!(&status.lease, Ok(Some(lease)) if holds(lease));
        let at_it = if held {
            "its process holds the environment".to_owned()
        } else {
            format!("nobody watches it: goldseed resume {}", run.run)
        };
        writeln!(
            text,
            "run {} ({}) is unfinished: {left}; {at_it}",
            run.run,
            run.verb.as_str()
        )
        .expect("a String takes everything");
    }
    text
}

fn golden_images(status: &Status, columns: usize) -> String {
    let images: Vec<Vec<String>> = status
        .golden
        .iter()
        .take(MOST)
        .map(|image| {
            let tag = |key: &str| image.tags.get(key).cloned().unwrap_or_default();
            let state = match (
                image.tags.get(tags::QUARANTINED),
                tag(tags::PROVED).as_str(),
            ) {
                (Some(reason), _) => format!("quarantined: {reason}"),
                (None, "boot") => "proved".to_owned(),
                (None, _) => "not proved".to_owned(),
            };
            let recipes = tag(tags::RECIPES).chars().take(12).collect();
            vec![
                image.id.to_string(),
                image.created.clone(),
                recipes,
                tag(tags::GENERATION),
                state,
            ]
        })
        .collect();
    let headers = ["golden image", "made", "recipes", "generation", "state"];
    let mut text = below(&headers, &images, columns);
    if !status.other_environments.is_empty() {
        writeln!(
            text,
            "\nother golden images of this pipeline were built for {}",
            status.other_environments.join(", ")
        )
        .expect("a String takes everything");
    }
    text
}

fn runs(status: &Status, columns: usize) -> String {
    let runs: Vec<Vec<String>> = status
        .runs
        .iter()
        .take(MOST)
        .map(|run| match run {
            Ok(run) => {
                let state = match (run.verdict, run.unfinished()) {
                    (Some(verdict), _) => verdict.as_str().to_owned(),
                    (None, Some(step)) if step.attempt > 1 => {
                        format!("unfinished at {}, attempt {}", step.id, step.attempt)
                    }
                    (None, Some(step)) => format!("unfinished at {}", step.id),
                    (None, None) => "unfinished".to_owned(),
                };
                vec![
                    run.run.to_string(),
                    run.verb.as_str().to_owned(),
                    run.who.clone(),
                    state,
                ]
            }
            Err(error) => vec![
                error.run().unwrap_or("?").to_owned(),
                String::new(),
                String::new(),
                error.to_string(),
            ],
        })
        .collect();
    below(&["run", "verb", "who", "state"], &runs, columns)
}

/// A table with an empty line above it; nothing without rows.
fn below(headers: &[&str], rows: &[Vec<String>], columns: usize) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{}", display::table(headers, rows, columns))
}
