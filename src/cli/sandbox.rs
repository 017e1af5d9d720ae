//! `goldseed sandbox`: a local AWS with real machines.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{ExitCode, Failure, Invocation, answer, bridge};
use crate::failure::ExitCode as Code;
use crate::sandbox::{MachineKind, Options, Sandbox as LocalAws};

#[derive(Debug, Subcommand)]
pub(super) enum Sandbox {
    /// Serve it until Ctrl-C
    Serve(Serve),
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// What stands behind the instances
    #[arg(long, value_enum, default_value = "containers")]
    machines: Machines,
    /// The folder for what it keeps while it runs
    #[arg(long, default_value = ".goldseed/sandbox", value_name = "FOLDER")]
    state: PathBuf,
    /// The region that it plays
    #[arg(long, default_value = "eu-central-1")]
    plays_region: String,
    /// Make the demo world: a shop with its file system and its database
    #[arg(long)]
    demo: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Machines {
    /// Containers with systemd; commands really run
    Containers,
    /// Nothing: for tests of the pipeline
    Simulated,
}

pub(super) async fn run(invocation: &Invocation, sandbox: Sandbox) -> Result<ExitCode, Failure> {
    let Sandbox::Serve(serve) = sandbox;
    let machines = match serve.machines {
        Machines::Containers => MachineKind::Containers,
        Machines::Simulated => MachineKind::Simulated,
    };
    let options = Options {
        listen: serve.listen,
        machines,
        pace: invocation.surroundings.pace.factor(),
        region: serve.plays_region,
        ..Options::simulated(serve.state)
    };
    let region = options.region.clone();
    let failed = |error: &dyn std::error::Error| {
        let text = "the sandbox could not be started";
        Failure {
            code: Code::Unexpected,
            ..Failure::unexpected(text, error)
        }
        .hint("real machines are set up by scripts/setup")
    };
    let local = LocalAws::start(options)
        .await
        .map_err(|error| failed(&error))?;
    answer(&format!(
        "export AWS_ENDPOINT_URL={} AWS_REGION={region} AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox\n",
        local.endpoint()
    ))?;
    if serve.demo {
        let made = tokio::select! {
            made = local.make_demo(bridge::bundle()?) => made,
            _ = super::signals::interrupted() => {
                local.stop().await;
                return Ok(Code::Interrupted);
            }
        };
        match made {
            Ok(world) => {
                answer(&format!(
                    "export GOLDSEED_DEMO_DATABASE={}\n",
                    world.database
                ))?;
            }
            Err(error) => {
                local.stop().await;
                return Err(failed(&error));
            }
        }
    }
    super::signals::interrupted().await;
    local.stop().await;
    Ok(Code::Done)
}
