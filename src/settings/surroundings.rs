//! What the process finds around it: environment variables, read once and nowhere else.

use std::path::{Path, PathBuf};

use crate::pace::Pace;

/// What the environment says.
#[derive(Clone, Debug, PartialEq)]
pub struct Surroundings {
    /// From `GOLDSEED_PACE`; 1 when it is not set.
    pub pace: Pace,
    /// The region in `AWS_REGION` or `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `NO_COLOR` is set to anything but nothing (<https://no-color.org>).
    pub no_color: bool,
    /// The first folder in `STATE_DIRECTORY`: where systemd lets a service write (systemd.exec(5)).
    pub state_folder: Option<String>,
    /// `TERM` is `dumb`: no bars can be drawn.
    pub dumb_terminal: bool,
    /// From `AWS_PROFILE`.
    pub profile: Option<String>,
    /// The files that hold profiles, with the variables that name them; those alone that are there.
    pub aws_files: Vec<(&'static str, PathBuf)>,
    /// Who runs the tool, for leases and the ledger.
    pub person: String,
    /// On which host.
    pub host: String,
}

/// Why the surroundings cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SurroundingsError {
    /// Not a number that time can be scaled by.
    #[error("GOLDSEED_PACE is `{0}`: expected a number above 0 and up to 10, such as 0.05")]
    Pace(String),
}

impl Surroundings {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// A `GOLDSEED_PACE` that is no number above 0 and up to 10.
    pub fn from_environment() -> Result<Self, SurroundingsError> {
        let host = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let account = fs_err::metadata("/proc/self").map_or_else(
            |_| String::new(),
            |process| {
                let uid = std::os::unix::fs::MetadataExt::uid(&process);
                account_of(uid).unwrap_or_else(|| format!("uid-{uid}"))
            },
        );
        // What is no text is replaced and then refused where it is used, not overlooked.
        let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        Self::of(variable, host.trim(), &account)
    }

    /// Reads variables by `variable`; the kernel says that the host is called `host`, and whose process this is.
    fn of(
        variable: impl Fn(&str) -> Option<String>,
        host: &str,
        account: &str,
    ) -> Result<Self, SurroundingsError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let pace = match set("GOLDSEED_PACE") {
            None => Pace::default(),
            Some(text) => text
                .trim()
                .parse()
                .ok()
                .and_then(Pace::new)
                .ok_or(SurroundingsError::Pace(text))?,
        };
        let person = set("LOGNAME")
            .or_else(|| set("USER"))
            .or_else(|| Some(account.to_owned()));
        let host = Some(host.to_owned())
            .filter(|host| !host.is_empty())
            .or_else(|| set("HOSTNAME"));
        Ok(Self {
            pace,
            region: set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")),
            no_color: set("NO_COLOR").is_some(),
            state_folder: set("STATE_DIRECTORY")
                .and_then(|folders| folders.split(':').next().map(ToOwned::to_owned)),
            dumb_terminal: variable("TERM").as_deref() == Some("dumb"),
            profile: set("AWS_PROFILE"),
            aws_files: aws_files(&set),
            person: plain(person),
            host: plain(host),
        })
    }
}

/// The files that the AWS SDKs read profiles from, where the variables or the home folder say.
fn aws_files(set: &impl Fn(&str) -> Option<String>) -> Vec<(&'static str, PathBuf)> {
    let files = [
        ("AWS_CONFIG_FILE", ".aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
    ];
    files
        .into_iter()
        .filter_map(|(variable, usual)| {
            let named = set(variable).map(PathBuf::from);
            let path = named.or_else(|| Some(Path::new(&set("HOME")?).join(usual)))?;
            fs_err::canonicalize(path).ok().map(|path| (variable, path))
        })
        .collect()
}

/// The name of the account with this number, where /etc/passwd has it.
pub fn account_of(uid: u32) -> Option<String> {
    let accounts = fs_err::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(uid, &accounts)
}

fn name_of(uid: u32, accounts: &str) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    })
}

/// What may stand in a tag and in a record: 64 characters at most, nothing that is special anywhere.
fn plain(text: Option<String>) -> String {
    let text: String = text
        .unwrap_or_default()
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || "._-@".contains(*character))
        .take(64)
        .collect();
    if text.is_empty() {
        "unknown".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Surroundings, SurroundingsError> {
        Surroundings::of(
            |name| {
                let (_, value) = pairs.iter().find(|(known, _)| *known == name)?;
                Some((*value).to_owned())
            },
            "build-7",
            "uid-1000",
        )
    }

    #[test]
    fn an_empty_environment_is_real_aws_at_real_speed() {
        let surroundings = with(&[]).unwrap();
        assert_eq!(surroundings.pace, Pace::default());
        assert_eq!(surroundings.person, "uid-1000");
        assert_eq!(surroundings.host, "build-7");
        assert!(!surroundings.no_color);
    }

    #[test]
    fn an_empty_variable_is_one_that_is_not_set() {
        let surroundings = with(&[
            ("NO_COLOR", ""),
            ("GOLDSEED_PACE", ""),
            ("AWS_ENDPOINT_URL", ""),
        ]);
        assert_eq!(surroundings, with(&[]));
    }

    #[test]
    fn a_pace_that_is_none_is_refused_and_not_ignored() {
        assert_eq!(
            with(&[("GOLDSEED_PACE", "0.05")]).unwrap().pace,
            Pace::new(0.05).unwrap()
        );
        for wrong in ["fast", "0", "-1", "NaN", "1e9", "0,5"] {
            assert_eq!(
                with(&[("GOLDSEED_PACE", wrong)]),
                Err(SurroundingsError::Pace(wrong.to_owned()))
            );
        }
    }

    #[test]
    fn an_account_is_called_by_its_name_where_it_has_one() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(name_of(1000, accounts).as_deref(), Some("ada"));
        assert_eq!(name_of(100, accounts), None);
    }

    #[test]
    fn a_person_is_named_by_what_records_and_tags_can_hold() {
        let surroundings = with(&[("USER", "Anna {{x}} O'Neil")]).unwrap();
        assert_eq!(surroundings.person, "AnnaxONeil");
    }
}
