//! Names of things: run ids, AWS ids, digests and the tokens derived from them.
//!
//! Every id is a newtype over text, so that an image id cannot be passed where an instance id is meant. Tokens and
//! names are *derived*, never random: a step that is run again must come to the same ones.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Declares a newtype over `String` that prints, compares and serialises as its text.
macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}

text_id! {
    /// One execution of a pipeline: `20261123-034512-7f3a`. Sorts by time.
    RunId;
    /// A step inside a run: `launch/seed`, `image/take`.
    StepId;
    /// An Amazon Machine Image: `ami-…`.
    ImageId;
    /// An EC2 instance: `i-…`.
    InstanceId;
    /// An EBS snapshot: `snap-…`.
    SnapshotId;
    /// A subnet: `subnet-…`.
    SubnetId;
    /// A security group: `sg-…`.
    SecurityGroupId;
    /// A Beanstalk environment's id: `e-…`. Unlike its name it is never used again.
    EnvironmentId;
    /// A Run Command invocation's id.
    CommandId;
    /// SHA-256 in lower-case hexadecimal.
    Digest;
}

impl RunId {
    /// Makes the id of a run that starts at `now`; `entropy` tells runs of one second apart.
    pub fn starting_at(now: jiff::Timestamp, entropy: u16) -> Self {
        Self(format!("{}-{entropy:04x}", now.strftime("%Y%m%d-%H%M%S")))
    }

    /// Returns when the run started, to the second; none of an id of another form.
    pub fn started(&self) -> Option<jiff::Timestamp> {
        let time = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", self.0.get(..15)?).ok()?;
        Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    }

    /// Tells whether the text has the form of a run id, so that it may stand in names and paths.
    pub fn is_well_formed(text: &str) -> bool {
        text.len() == 20
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 15 => byte == b'-',
                0..=14 => byte.is_ascii_digit(),
                _ => byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase(),
            })
    }
}

impl Digest {
    /// Digests bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(hexadecimal(&Sha256::digest(bytes.as_ref())))
    }

    /// Digests a list of parts; no two different lists give the same bytes to digest.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Self(hexadecimal(&hasher.finalize()))
    }

    /// Returns the first twelve digits: enough to tell recipes apart in tags and tables.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

/// Derives a client token of 32 characters (EC2 takes 64 at most) from what makes a request this request.
pub fn token<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let Digest(mut text) = Digest::of_parts(parts);
    text.truncate(32);
    text
}

/// Writes a text as one word of a shell, for commands that people copy: `Ada's shop` is `'Ada'\''s shop'`.
pub fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Tells whether a recipe may have this name: one rule for its file and for what names it. A path is none.
pub fn is_recipe_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !text.starts_with(['.', '-'])
}

/// Writes bytes in lower-case hexadecimal.
fn hexadecimal(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time_and_know_their_own_form() {
        let first = RunId::starting_at("2026-11-23T03:45:12Z".parse().unwrap(), 0x7f3a);
        let second = RunId::starting_at("2026-11-23T03:45:13Z".parse().unwrap(), 0x0001);
        assert_eq!(first.as_str(), "20261123-034512-7f3a");
        assert!(first < second);
        assert_eq!(first.started(), "2026-11-23T03:45:12Z".parse().ok());
        assert_eq!(RunId::new("another").started(), None);
        assert!(RunId::is_well_formed(first.as_str()));
        for wrong in [
            "",
            "20261123-034512-7F3A",
            "20261123-034512-7f3",
            "../../../../etc/passw",
        ] {
            assert!(!RunId::is_well_formed(wrong), "{wrong}");
        }
    }

    #[test]
    fn tokens_depend_on_every_part_and_on_where_parts_end() {
        assert_eq!(token(["a", "b"]), token(["a", "b"]));
        assert_ne!(token(["ab", ""]), token(["a", "b"]));
        assert_eq!(token(["run", "launch"]).len(), 32);
    }

    #[test]
    fn a_digest_is_that_of_sha256() {
        assert_eq!(
            Digest::of("").as_str(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
