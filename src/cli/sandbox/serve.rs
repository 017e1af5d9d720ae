//! `goldseed sandbox serve`: serves the local AWS until Ctrl-C.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::{ExitCode, Failure, Invocation, answer, bridge, signals};
use crate::failure::ExitCode as Code;
use crate::sandbox::{AccessKey, MachineKind, Options, Sandbox as LocalAws};

#[derive(Debug, Args)]
pub(in crate::cli) struct Serve {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Allow an address that other computers reach
    #[arg(long)]
    exposed: bool,
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

pub(super) async fn run(invocation: &Invocation, serve: Serve) -> Result<ExitCode, Failure> {
    if serve.demo && matches!(serve.machines, Machines::Simulated) {
        let message = "the demo world needs machines that run: nothing was started";
        return Err(
            Failure::new(Code::Usage, message).hint("leave out --demo, or `--machines simulated`")
        );
    }
    let machines = match serve.machines {
        Machines::Containers => MachineKind::Containers,
        Machines::Simulated => MachineKind::Simulated,
    };
    let key = AccessKey::random()
        .map_err(|error| Failure::unexpected("no access key can be drawn", &error))?;
    let options = Options {
        listen: serve.listen,
        exposed: serve.exposed,
        access_key: Some(key.clone()),
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
        .hint("`goldseed sandbox setup` installs what real machines need")
    };
    let local = LocalAws::start(options)
        .await
        .map_err(|error| failed(&error))?;
    answer(&format!(
        "export AWS_ENDPOINT_URL={} AWS_REGION={region} AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}\n",
        local.endpoint(),
        key.id,
        key.secret
    ))?;
    if serve.demo {
        let made = tokio::select! {
            made = local.make_demo(bridge::bundle()?) => made,
            _ = signals::interrupted() => {
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
    signals::interrupted().await;
    local.stop().await;
    Ok(Code::Done)
}
