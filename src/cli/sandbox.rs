//! `goldseed sandbox`: a local AWS with real machines.

mod serve;
mod setup;

use clap::Subcommand;

use super::{ExitCode, Failure, Invocation};

#[derive(Debug, Subcommand)]
pub(super) enum Sandbox {
    /// Serve it until Ctrl-C
    Serve(serve::Serve),
    /// Install what its machines need: a container engine and the images, built once
    Setup(setup::Setup),
}

pub(super) async fn run(invocation: &Invocation, sandbox: Sandbox) -> Result<ExitCode, Failure> {
    match sandbox {
        Sandbox::Serve(serve) => serve::run(invocation, serve).await,
        Sandbox::Setup(setup) => setup::run(setup).await,
    }
}
