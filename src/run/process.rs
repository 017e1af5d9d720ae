//! The process that wrote a page: tells, on its own host, whether it still runs.
//!
//! A mark is `HOST.PID.START`: a digest of the host's boot and PID namespace, the process id, and the start time in clock
//! ticks since the boot, because process ids are reused. Where any of it cannot be read, there is no mark, and lease and
//! age of the record alone say whether a process may drive the run.

use sha2::{Digest as _, Sha256};

/// Returns the digest of the host's boot and of the PID namespace.
fn host() -> Option<String> {
    let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs_err::read_link("/proc/self/ns/pid").ok()?;
    let digest = Sha256::new()
        .chain_update(boot.trim())
        .chain_update(namespace.as_os_str().as_encoded_bytes())
        .finalize();
    let digest = format!("{digest:x}");
    Some(digest[..12].to_owned())
}

/// Returns the mark of this process.
pub(super) fn this() -> Option<String> {
    let host = host()?;
    let id = std::process::id();
    let fields = fs_err::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let start = started(&fields)?;
    Some(format!("{host}.{id}.{start}"))
}

/// What this host says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs.
    Runs {
        /// Its process id.
        id: u32,
    },
    /// It has ended.
    Ended,
    /// It ran on another host, or may not be seen from here.
    Unknown,
}

/// Returns whether the process with this mark still runs.
pub fn state(mark: &str) -> ProcessState {
    seen(mark).unwrap_or(ProcessState::Unknown)
}

fn seen(mark: &str) -> Option<ProcessState> {
    let mut parts = mark.split('.');
    let name = parts.next()?;
    let (id, start) = (parts.next()?.parse::<u32>().ok()?, parts.next()?);
    if name != host()? {
        return None;
    }
    match fs_err::read_to_string(format!("/proc/{id}/stat")) {
        Ok(fields) if started(&fields)? == start => Some(ProcessState::Runs { id }),
        Ok(_) => Some(ProcessState::Ended),
        // A /proc with `hidepid` hides other users' processes, and the first process among them.
        Err(_) => fs_err::metadata("/proc/1")
            .is_ok()
            .then_some(ProcessState::Ended),
    }
}

/// The start time in `/proc/PID/stat`, the 22nd field (`proc_pid_stat(5)`). The second is the program's name in
/// parentheses, which may contain anything. A process that has ended and was not waited for has none.
fn started(stat: &str) -> Option<&str> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    match fields.next()? {
        "Z" | "X" | "x" => Some(""),
        _ => fields.nth(18),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_until_it_has_ended() {
        let mark = this().unwrap();
        let id = std::process::id();
        assert_eq!(state(&mark), ProcessState::Runs { id });
        // The process id was reused.
        assert_eq!(state(&format!("{mark}0")), ProcessState::Ended);
        // No process id is as large: the kernel's limit is 2^22.
        let (host, _) = mark.split_once('.').unwrap();
        assert_eq!(state(&format!("{host}.4294967295.1")), ProcessState::Ended);
    }

    #[test]
    fn a_process_of_another_host_or_of_nobody_is_unknown() {
        let mark = this().unwrap();
        for other in [format!("0{mark}"), String::new(), "a.b.c".to_owned()] {
            assert_eq!(state(&other), ProcessState::Unknown, "{other}");
        }
    }

    #[test]
    fn the_start_is_found_behind_any_name() {
        let fields: Vec<String> = (4..30).map(|number| number.to_string()).collect();
        let stat = |state: &str| format!("7 (a) b ) {state} {}", fields.join(" "));
        assert_eq!(started(&stat("S")), Some("22"));
        assert_eq!(started(&stat("Z")), Some(""));
        assert_eq!(started("7 (cut"), None);
    }
}
