//! `goldseed init`: a first settings file, commented.

use std::io::Write as _;

use clap::Args;

use super::{ExitCode, Failure, Invocation, answer};
use crate::settings;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The name of the first pipeline
    #[arg(long, default_value = "shop")]
    pipeline: String,
    /// The environment that it is for
    #[arg(long, default_value = "shop-prod")]
    environment: String,
}

pub(super) fn run(invocation: &Invocation, init: &Init) -> Result<ExitCode, Failure> {
    let refuse = |name: &str, what: &str, rule: &str| {
        Failure::new(ExitCode::Usage, format!("`{name}` cannot name {what}")).hint(rule)
    };
    if !settings::is_pipeline_name(&init.pipeline) {
        return Err(refuse(
            &init.pipeline,
            "a pipeline",
            "the name may contain lower-case letters, digits and single hyphens, 32 characters at most",
        ));
    }
    if !settings::is_environment_name(&init.environment) {
        return Err(refuse(
            &init.environment,
            "an environment",
            "the name has 4 to 40 letters, digits and hyphens",
        ));
    }
    let path = &invocation.global.file;
    let text = settings::starter(&init.pipeline, &init.environment);
    // Created, never overwritten: somebody's settings are not ours to lose.
    let mut file = fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::new(
                ExitCode::Invalid,
                format!("{} is there already", path.display()),
            )
            .hint("it was left as it is; name another file with --file"),
            _ => Failure::unexpected(format!("{} could not be written", path.display()), &error),
        })?;
    file.write_all(text.as_bytes()).map_err(|error| {
        Failure::unexpected(format!("{} could not be written", path.display()), &error)
    })?;
    answer(&format!(
        "{} is written: fill in what stands in <…>, then run `goldseed check`\n",
        path.display()
    ))
}
