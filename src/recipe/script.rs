//! The text of a script: what it begins with, how it runs its steps, how it ends.

use super::content::Content;
use crate::document::Place;
use crate::id::Digest;

const PRELUDE: &str = concat!(
    include_str!("prelude.sh"),
    include_str!("look.sh"),
    include_str!("files.sh"),
    include_str!("system.sh")
);
/// Parts that a script has only when it calls a function of theirs.
const PARTS: [&str; 6] = [
    include_str!("batch.sh"),
    include_str!("checks.sh"),
    include_str!("settings.sh"),
    include_str!("schedule.sh"),
    include_str!("reboot.sh"),
    include_str!("sources.sh"),
];
const SECRETS: &str = include_str!("secrets.sh");
pub(super) const BOOT_UNIT: &str = include_str!("boot.service");

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Steps of the roles image, seed and boot, on the seed.
    Apply,
    /// Checks that are made on a node.
    Verify,
    /// Steps of the role migrate, right before a swap.
    Migrate,
    /// All steps of a recipe that is done apart from the others, and nothing around them.
    Alone,
}

/// A POSIX shell script, and what its steps are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The whole text. It holds no secret.
    pub text: String,
    /// Of what recipes and values made of it, without the tool's own functions around that: another version of the tool
    /// gives the same recipes the same digest.
    pub digest: Digest,
    /// In the order in which they are done.
    pub steps: Vec<StepInfo>,
    /// What the script needs on the machine beside itself, each once.
    pub contents: Vec<Content>,
    /// The folder of the application that visitors see, `.` for all of it, where steps list one for the bridge.
    pub root: Option<String>,
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepInfo {
    /// As it stands in the script's lines: `mount-efs/2`, `site/3.1` for the first item of an `each`.
    pub id: String,
    /// The recipe's name.
    pub recipe: String,
    /// For people.
    pub name: String,
    /// The key that it stands under: `file`.
    pub kind: String,
    /// Whether it is done at every time, and so counts as a change at every time.
    pub always: bool,
    /// Where it stands.
    pub place: Place,
}

impl Script {
    /// What tells the script's own lines from its commands' output.
    pub(crate) fn nonce(&self) -> &str {
        self.digest.as_str().get(..8).unwrap_or_default()
    }

    /// A step by its id.
    pub fn step(&self, id: &str) -> Option<&StepInfo> {
        self.steps.iter().find(|step| step.id == id)
    }
}

/// The prelude without its comments, the parts that are needed, and the body; with the body's digest as the nonce.
pub(super) fn assemble(body: &str, secrets: bool) -> (String, Digest) {
    let mut library = String::from(PRELUDE);
    for part in PARTS.iter().filter(|part| is_called(part, body)) {
        library.push_str(part);
    }
    if secrets {
        library.push_str(SECRETS);
    }
    let library = without_comments(&library);
    // A killed command's code, or one that Run Command would take for a word of its own, must not get out.
    let run = if secrets {
        "{ ( gs_all ); printf '%s\\n' \"$?\" > \"$gs_work/code\"; printf '@@%s end\\n' \"$gs_nonce\"; } 2>&1 | gs_mask\n\
         read -r gs_code < \"$gs_work/code\" || gs_code=1\n"
    } else {
        "( gs_all ) 2>&1\ngs_code=$?\n"
    };
    let digest = Digest::of(body);
    let nonce = digest.as_str().get(..8).unwrap_or_default();
    let text = format!(
        "#!/bin/sh\n# Compiled by goldseed from recipes; changes to it are lost.\n{library}gs_nonce={nonce}\ngs_all() {{\n:\n{body}}}\n\
         trap gs_close EXIT\ntrap 'exit 1' HUP INT TERM\ngs_open\n{run}[ \"$gs_code\" = 0 ] || exit 1\n"
    );
    (text, digest)
}

/// One function of the library by itself, for an instance on which recipes may be at work: it shares no file with them.
/// What earlier ones left in memory is removed.
pub(super) fn alone(call: &str, secrets: bool) -> String {
    let library = [
        include_str!("prelude.sh"),
        include_str!("checks.sh"),
        if secrets { SECRETS } else { "" },
    ]
    .concat();
    let library = without_comments(&library);
    format!(
        "#!/bin/sh\n{library}gs_nonce=probe\n\
         for gs_old in /run/goldseed/units/goldseed-*-probe-a*; do\n\
         [ ! -s \"$gs_old/code\" ] || rm -rf \"$gs_old\" \"/var/lib/goldseed/started/${{gs_old##*/}}\"\ndone\n\
         mkdir -p \"$gs_runtime\" && mkdir -m 0700 \"$gs_work\" || exit 1\n\
         trap 'rm -rf \"$gs_work\"' EXIT\ntrap 'exit 1' HUP INT TERM\n{call}\n"
    )
}

fn without_comments(library: &str) -> String {
    library
        .lines()
        .filter(|line| !line.is_empty() && !line.trim_start().starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Whether a script's body mentions one of a part's functions.
fn is_called(part: &str, body: &str) -> bool {
    part.lines()
        .filter_map(|line| line.split_once("() {"))
        .any(|(function, _)| body.contains(&format!("{function} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_the_body_alone() {
        let (text, digest) = assemble("gs_step a\n", false);
        assert_eq!(digest, Digest::of("gs_step a\n"));
        assert_ne!(digest, assemble("gs_step b\n", false).1);
        assert!(text.contains(&format!("gs_nonce={}\n", &digest.as_str()[..8])));
    }
}
