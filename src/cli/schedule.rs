//! `goldseed schedule`: a systemd timer and service for a nightly rebuild, to be put on the machine that runs it.

use std::path::PathBuf;

use clap::Args;

use super::{ExitCode, Failure, Invocation, answer, guard};
use crate::failure::ExitCode as Code;
use crate::pipeline::Plan;

#[derive(Debug, Args)]
pub(super) struct Schedule {
    /// The pipeline, as goldseed.yaml names it
    pipeline: String,
    /// When, each night: hours and minutes
    #[arg(long, value_name = "HH:MM")]
    at: String,
    /// In which time zone
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    timezone: String,
}

pub(super) fn run(invocation: &Invocation, schedule: &Schedule) -> Result<ExitCode, Failure> {
    let usage = |message: String, hint: &str| Failure::new(Code::Usage, message).hint(hint);
    let at = jiff::civil::Time::strptime("%H:%M", &schedule.at).map_err(|_| {
        usage(
            format!("`{}` is no time of day", schedule.at),
            "write hours and minutes: --at 03:00",
        )
    })?;
    jiff::tz::TimeZone::get(&schedule.timezone).map_err(|_| {
        usage(
            format!(
                "`{}` is no time zone that this machine knows",
                schedule.timezone
            ),
            "write it as the tz database does: --timezone Europe/Berlin",
        )
    })?;
    let (settings, library) = guard::read(invocation)?;
    let plan = Plan::make(&settings, &schedule.pipeline, &library)?;
    let absolute = |path: &PathBuf| {
        fs_err::canonicalize(path)
            .map_err(|error| Failure::unexpected("a path of the service cannot be found", &error))
    };
    let file = absolute(&invocation.global.file)?;
    let folder = file
        .parent()
        .map_or_else(|| "/".into(), |folder| folder.display().to_string());
    let program = std::env::current_exe()
        .map_err(|error| Failure::unexpected("this program's own path cannot be found", &error))?;
    answer(&units(
        &plan,
        &program.display().to_string(),
        &file.display().to_string(),
        &folder,
        &at.strftime("%H:%M").to_string(),
        &schedule.timezone,
    ))
}

/// Writes both units. The service gets what a build needs, the network and nothing to write but its own state; a
/// second start while one runs is refused by systemd itself.
fn units(plan: &Plan, program: &str, file: &str, folder: &str, at: &str, zone: &str) -> String {
    let name = format!("goldseed-{}", plan.pipeline);
    let (program, file, folder) = (quoted(program), quoted(file), escaped(folder));
    format!(
        "\
# /etc/systemd/system/{name}.timer
[Unit]
Description=Nightly golden image of {environment}

[Timer]
OnCalendar=*-*-* {at}:00 {zone}
# A night that was missed is not made up for in business hours.
Persistent=false
AccuracySec=1min

[Install]
WantedBy=timers.target

# /etc/systemd/system/{name}.service
[Unit]
Description=Golden image of {environment}: build, prove, promote, watch
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=12h
StartLimitBurst=4

[Service]
Type=exec
ExecStart={program} rebuild {pipeline} --resume --file {file}
WorkingDirectory={folder}
# The first interrupt lets the present call end and be recorded.
KillSignal=SIGINT
TimeoutStopSec=5min
RuntimeMaxSec=12h
# A process that was killed, or that AWS failed, is started again and resumes its run: a promotion is never left
# unwatched. What a person has to decide, by the exit codes of `goldseed --help`, is not repeated.
Restart=on-failure
RestartSec=2min
RestartPreventExitStatus=2 3 4 6 7 8 130
DynamicUser=yes
StateDirectory={name}
Environment=HOME=/var/lib/{name}
# Credentials: an instance role is found by itself; else name a profile's files here.
# EnvironmentFile=/etc/{name}.env
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
CapabilityBoundingSet=
UMask=0077

# systemctl daemon-reload && systemctl enable --now {name}.timer
",
        environment = plan.environment,
        pipeline = plan.pipeline,
    )
}

/// Quotes a word of `ExecStart=` (systemd.service(5), command lines).
fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        escaped(text)
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('$', "$$")
    )
}

/// Doubles what systemd reads as a specifier.
fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}
