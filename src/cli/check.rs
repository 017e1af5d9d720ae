//! `goldseed check`: reads settings and recipes and reports every mistake; AWS is not asked.

use std::fmt::Write as _;

use clap::Args;

use super::{ExitCode, Failure, Invocation, answer, guard};
use crate::pipeline::Plan;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// One pipeline; without it, all of them
    pipeline: Option<String>,
}

pub(super) fn run(invocation: &Invocation, check: &Check) -> Result<ExitCode, Failure> {
    let (settings, library) = guard::read(invocation)?;
    let names: Vec<&String> = if let Some(name) = &check.pipeline {
        vec![name]
    } else {
        Plan::check_all(&settings, &library)?;
        settings.pipelines.keys().collect()
    };
    let mut lines = String::new();
    for name in names {
        let plan = Plan::make(&settings, name, &library)?;
        writeln!(
            lines,
            "{name}: {} for {}, {} steps, digest {}",
            plan.recipe_names.join(", "),
            plan.environment,
            plan.apply.steps.len(),
            plan.recipes_digest().short(),
        )
        .expect("a String takes everything");
    }
    answer(&lines)
}
