//! `goldseed schedule`: a systemd timer and service for a nightly rebuild, to be put on the machine that runs it.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::{ExitCode, Failure, Invocation, answer, guard};
use crate::display;
use crate::failure::ExitCode as Code;
use crate::pipeline::Plan;
use crate::settings::account_of;

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
    let zone = jiff::tz::TimeZone::get(&schedule.timezone).map_err(|_| {
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
    let unfound = |error| Failure::unexpected("a path of the service cannot be found", &error);
    let file = fs_err::canonicalize(&invocation.global.file).map_err(unfound)?;
    let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
    let program = std::env::current_exe().map_err(unfound)?;
    let surroundings = &invocation.surroundings;
    let global = &invocation.global;
    let profile = global.profile.clone().or(surroundings.profile.clone());
    let credentials = match profile {
        Some(_) => surroundings.aws_files.clone(),
        None => Vec::new(),
    };
    let mut needed = vec![program.clone(), file.clone(), folder.join("recipes")];
    needed.extend(credentials.iter().map(|(_, path)| path.clone()));
    let gaps = gaps(at, &zone, crate::pace::now());
    let region = global.region.clone().or_else(|| {
        let region = surroundings.region.clone();
        region.filter(|_| settings.region.is_none())
    });
    let units = Units {
        pipeline: &plan.pipeline,
        environment: &plan.environment,
        program: &program.display().to_string(),
        file: &file.display().to_string(),
        folder: &folder.display().to_string(),
        at: &at.strftime("%H:%M").to_string(),
        // systemd knows a zone by its own spelling alone.
        zone: zone.iana_name().unwrap_or(&schedule.timezone),
        gaps: &gaps,
        account: account(&needed)?,
        profile: profile.as_deref(),
        region: region.as_deref(),
        credentials: &credentials,
    };
    if !gaps.is_empty() {
        display::tell(&format!("warning: {}\n", units.skipped()));
    }
    answer(&units.text())
}

/// The coming year's days on which the clocks leave out this time of day.
fn gaps(at: Time, zone: &TimeZone, now: Timestamp) -> Vec<Date> {
    let today = now.to_zoned(zone.clone()).date();
    today
        .series(jiff::Span::new().days(1))
        .take(366)
        .filter(|day| {
            let time = zone.to_ambiguous_timestamp(day.to_datetime(at));
            matches!(time.offset(), AmbiguousOffset::Gap { .. })
        })
        .collect()
}

/// Whom the service runs as: a user that systemd makes up, where every path is open to all; else the one who owns what is
/// not.
fn account(needed: &[PathBuf]) -> Result<Option<String>, Failure> {
    let mut owner: Option<(u32, &PathBuf)> = None;
    for path in needed {
        let unread = |error| Failure::unexpected("a path of the service cannot be read", &error);
        let Some(uid) = closed_by(path).map_err(unread)? else {
            continue;
        };
        match owner {
            Some((other, first)) if other != uid => {
                let message = format!(
                    "no user but root can read both {} and {}: the service would not start",
                    first.display(),
                    path.display()
                );
                return Err(Failure::new(Code::Refused, message).hint(
                    "put the program where all may run it (sudo install -m 755 goldseed /usr/local/bin/) and the project \
                     where its user may read it",
                ));
            }
            _ => owner = Some((uid, path)),
        }
    }
    Ok(owner.map(|(uid, _)| account_of(uid).unwrap_or_else(|| uid.to_string())))
}

/// Who owns the first file or folder, on the way to a path or below it, that is not open to all; none where all are, or
/// where there is no such path.
fn closed_by(path: &Path) -> std::io::Result<Option<u32>> {
    if !path.exists() {
        return Ok(None);
    }
    let enter = 0o001;
    let ancestors: Vec<&Path> = path.ancestors().skip(1).collect();
    for folder in ancestors.into_iter().rev() {
        let folder = fs_err::metadata(folder)?;
        if folder.mode() & enter == 0 {
            return Ok(Some(folder.uid()));
        }
    }
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let here = fs_err::metadata(&path)?;
        let read = if here.is_dir() { 0o005 } else { 0o004 };
        if here.mode() & read != read {
            return Ok(Some(here.uid()));
        }
        if here.is_dir() {
            for entry in fs_err::read_dir(&path)? {
                let entry = entry?;
                // A link may lead round in a circle.
                if !entry.file_type()?.is_symlink() {
                    open.push(entry.path());
                }
            }
        }
    }
    Ok(None)
}

/// What the units say.
struct Units<'a> {
    pipeline: &'a str,
    environment: &'a str,
    program: &'a str,
    file: &'a str,
    folder: &'a str,
    at: &'a str,
    zone: &'a str,
    gaps: &'a [Date],
    /// Whom the service runs as; none: a user that systemd makes up.
    account: Option<String>,
    profile: Option<&'a str>,
    region: Option<&'a str>,
    /// Variables and the files that they name.
    credentials: &'a [(&'static str, PathBuf)],
}

impl Units<'_> {
    /// Says which nights have no such time.
    fn skipped(&self) -> String {
        let days: Vec<String> = self.gaps.iter().map(ToString::to_string).collect();
        format!(
            "there is no {} in {} on {}, when the clocks go forward: nothing is rebuilt then",
            self.at,
            self.zone,
            days.join(", ")
        )
    }

    /// The flags of `rebuild` that were given here.
    fn flags(&self) -> String {
        let mut text = String::new();
        for (flag, value) in [("--profile", self.profile), ("--region", self.region)] {
            if let Some(value) = value {
                let _ = write!(text, " {flag} {}", quoted(value));
            }
        }
        text
    }

    /// The lines on whom the service runs as, and with whose credentials.
    fn person(&self) -> String {
        let mut text = match &self.account {
            None => "DynamicUser=yes\n".to_owned(),
            Some(owner) => format!(
                "# Something that the service reads is open to this user alone.\nUser={owner}\n"
            ),
        };
        for (variable, path) in self.credentials {
            let setting = format!("{variable}={}", path.display());
            let _ = writeln!(text, "Environment={}", quoted(&setting).replace("$$", "$"));
        }
        if self.profile.is_none() {
            text.push_str(
                "# Credentials: an instance role is found by itself; else call `goldseed schedule` with --profile.\n",
            );
        }
        text
    }

    /// Writes both units. The service gets what a build needs, the network and nothing to write but its own state; a
    /// second start while one runs is refused by systemd itself.
    fn text(&self) -> String {
        let Self {
            pipeline,
            environment,
            at,
            zone,
            ..
        } = self;
        let name = format!("goldseed-{pipeline}");
        let (program, file, folder) = (
            quoted(self.program),
            quoted(self.file),
            escaped(self.folder),
        );
        let (flags, person) = (self.flags(), self.person());
        let skipped = match self.gaps {
            [] => String::new(),
            _ => format!("# {}\n", self.skipped()),
        };
        format!(
            "\
# /etc/systemd/system/{name}.timer
[Unit]
Description=Nightly golden image of {environment}

[Timer]
{skipped}OnCalendar=*-*-* {at}:00 {zone}
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
ExecStart={program} rebuild {pipeline} --resume --file {file}{flags}
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
{person}StateDirectory={name}
Environment=HOME=/var/lib/{name}
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
        )
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chmod(path: &Path, mode: u32) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs_err::set_permissions(path, mode).unwrap();
    }

    #[test]
    fn a_night_without_this_time_is_known_before_it_comes() {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        let zone = |name: &str| TimeZone::get(name).unwrap();
        let at = |hour, minute| Time::constant(hour, minute, 0, 0);
        let berlin: Vec<String> = gaps(at(2, 30), &zone("Europe/Berlin"), now)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(berlin, ["2027-03-28"]);
        for (hour, minute, name) in [
            (1, 59, "Europe/Berlin"),
            (3, 0, "Europe/Berlin"),
            (2, 30, "Asia/Tokyo"),
            (2, 30, "UTC"),
        ] {
            assert!(
                gaps(at(hour, minute), &zone(name), now).is_empty(),
                "{name}"
            );
        }
        assert_eq!(gaps(at(1, 30), &zone("Europe/London"), now).len(), 1);
    }

    #[test]
    fn what_is_open_to_its_owner_alone_runs_as_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs_err::create_dir_all(home.join("project/recipes")).unwrap();
        let recipe = home.join("project/recipes/own.yaml");
        fs_err::write(&recipe, "").unwrap();
        let project = home.join("project");
        for path in [folder.path(), &home, &project, &project.join("recipes")] {
            chmod(path, 0o755);
        }
        chmod(&recipe, 0o644);
        let needed = [project.join("recipes"), project.join("absent")];
        assert_eq!(account(&needed).unwrap(), None);
        let mine = fs_err::metadata(&home).unwrap().uid();
        let owner = account_of(mine).or(Some(mine.to_string()));
        for (path, closed, open) in [(&home, 0o700, 0o755), (&recipe, 0o640, 0o644)] {
            chmod(path, closed);
            assert_eq!(account(&needed).unwrap(), owner, "{path:?}");
            chmod(path, open);
        }
    }
}
