//! Looks at a machine of ours: whether it is quiet and has booted, what makes it this machine, what an image has left.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Context, PipelineError, names};
use crate::id::{InstanceId, RunId};
use crate::node::{Job, Node};
use crate::run::Outcome;

/// Prints what makes a machine this machine.
const IDENTITY: &str = include_str!("identity.sh");

/// Checked over Systems Manager before the first recipe.
const QUIET: &str = include_str!("quiet.sh");

/// Prints which folder of the application visitors see.
const ROOT: &str =
    "[ ! -x /opt/goldseed/bridge/deploy ] || exec /opt/goldseed/bridge/deploy --root\n";

/// What only a machine that runs can show to be left over.
const LEFTOVERS: &str = include_str!("leftovers.sh");

/// Ends well once the boot steps of the image are done, and says why they are not.
const BOOTED: &str = include_str!("booted.sh");

/// The recipe `generalise` looks for the traces that it took away; the same files look on the proof.
const TRACES: [(&str, &str); 3] = [
    (
        "ground.sh",
        include_str!("../../recipes/generalise/files/ground.sh"),
    ),
    (
        "traces.table",
        include_str!("../../recipes/generalise/files/traces.table"),
    ),
    (
        "assert.sh",
        include_str!("../../recipes/generalise/files/assert.sh"),
    ),
];

/// What makes a machine this machine: short digests by name (machine id, host keys, agent registration).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Identity(pub(super) Vec<String>);

impl Outcome for Identity {
    fn outcome(&self) -> String {
        format!("{} marks of identity", self.0.len())
    }
}

/// Checks that a copy of a production machine does not work as one, and lets go of what recipes may start. Once in each
/// boot: asked again in the same one, its unit is found to be done.
pub(super) async fn must_be_quiet(
    context: &Context<'_>,
    run: &RunId,
    name: &str,
    id: &InstanceId,
) -> Result<(), PipelineError> {
    let (code, text) = small(context, run, &format!("{name}-quiet"), id, QUIET).await?;
    if code == 0 {
        return Ok(());
    }
    let text = format!(
        "{id} works as the machine it is a copy of: {}",
        text.trim().replace('\n', "; ")
    );
    Err(match name {
        "proof" => PipelineError::Unproved(text),
        _ => PipelineError::Disturbed(text),
    })
}

/// Waits for the boot steps of a machine of the image: without the secrets and mounts that they bring, what runs on it
/// would look at nothing and say that all is well.
pub(super) async fn must_have_booted(
    context: &Context<'_>,
    run: &RunId,
    id: &InstanceId,
) -> Result<(), PipelineError> {
    let (code, text) = small(context, run, "migrate-booted", id, BOOTED).await?;
    if code == 0 {
        return Ok(());
    }
    Err(PipelineError::Disturbed(format!(
        "the boot steps of {id} are not done: {}",
        text.trim().replace('\n', "; ")
    )))
}

/// Checks that a machine which booted from a golden image carries nothing of the seed or of an old environment.
pub(super) async fn must_have_no_leftovers(
    context: &Context<'_>,
    run: &RunId,
    id: &InstanceId,
) -> Result<(), PipelineError> {
    let mut script =
        String::from("mkdir -p /run/goldseed/leftovers && cd /run/goldseed/leftovers || exit 1\n");
    for (name, text) in TRACES {
        for part in [
            "cat > ",
            name,
            " <<'END_OF_FILE'\n",
            text,
            "\nEND_OF_FILE\n",
        ] {
            script.push_str(part);
        }
    }
    script.push_str(LEFTOVERS);
    let (code, text) = small(context, run, "proof-leftovers", id, &script).await?;
    if code == 0 {
        return Ok(());
    }
    Err(PipelineError::Unproved(format!(
        "the image of {id} is not generalised: {}",
        text.trim().replace('\n', "; ")
    )))
}

/// Returns the folder of the application that visitors see, as the machine's bridge has it, `.` for all of it; none
/// where the image has no bridge, or one of a recipe of your own that does not say.
pub(super) async fn document_root(
    context: &Context<'_>,
    run: &RunId,
    id: &InstanceId,
) -> Result<Option<String>, PipelineError> {
    let (code, text) = small(context, run, "proof-root", id, ROOT).await?;
    let root = text.trim();
    Ok((code == 0 && !root.is_empty()).then(|| root.to_owned()))
}

/// Reads what makes a machine this machine.
pub(super) async fn identity(
    context: &Context<'_>,
    run: &RunId,
    name: &str,
    id: &InstanceId,
) -> Result<Identity, PipelineError> {
    let (code, text) = small(context, run, &format!("{name}-identity"), id, IDENTITY).await?;
    if code != 0 {
        return Err(PipelineError::Disturbed(format!(
            "the marks of identity of {id} could not be read: {}",
            text.trim()
        )));
    }
    let marks: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(ToOwned::to_owned)
        .collect();
    if marks.is_empty() {
        return Err(PipelineError::Disturbed(format!(
            "{id} shows no mark of identity at all: nobody could tell whether a machine is a copy of it"
        )));
    }
    Ok(Identity(marks))
}

/// Runs a short script of ours and returns its code and output.
async fn small(
    context: &Context<'_>,
    run: &RunId,
    name: &str,
    id: &InstanceId,
    script: &str,
) -> Result<(i32, String), PipelineError> {
    let job = Job {
        unit: names::unit(run, name),
        script,
        contents: &[],
        // Boot steps have a quarter of an hour, and some of these scripts wait for them.
        limit: Duration::from_mins(20),
    };
    let mut log = Vec::new();
    let code = Node::new(context.cloud, id)
        .run(&job, |bytes| log.extend_from_slice(bytes))
        .await?;
    Ok((code, String::from_utf8_lossy(&log).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::IDENTITY;

    /// The marks of a machine whose agent keeps this registration.
    fn agent_marks(registration: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let store = root.path().join("Vault/Store");
        fs_err::create_dir_all(&store).unwrap();
        fs_err::write(store.join("RegistrationKey"), registration).unwrap();
        let script = IDENTITY.replace("/var/lib/amazon/ssm", root.path().to_str().unwrap());
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let marks = text.lines().filter(|line| line.starts_with("ssm-"));
        marks.map(ToOwned::to_owned).collect()
    }

    #[test]
    fn the_key_that_credentials_are_encrypted_with_is_a_mark() {
        let root = tempfile::tempdir().unwrap();
        let secret = root.path().join("credential.secret");
        let marks = || {
            let path = secret.to_str().unwrap();
            let script = IDENTITY.replace("/var/lib/systemd/credential.secret", path);
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let mark = text
                .lines()
                .find(|line| line.starts_with("credential-secret "));
            mark.map(ToOwned::to_owned)
        };
        assert_eq!(marks(), None);
        fs_err::write(&secret, "one").unwrap();
        let one = marks();
        fs_err::write(&secret, "two").unwrap();
        assert!(one.is_some() && marks().is_some() && one != marks());
    }

    #[test]
    fn a_key_that_the_agent_has_taken_over_is_a_mark_of_its_own() {
        let seed =
            agent_marks(r#"{"instanceID":"i-1","privateKey":"AAAA","privateKeyType":"Rsa"}"#);
        let copy =
            agent_marks(r#"{"instanceID":"i-2","privateKey":"AAAA","privateKeyType":"Rsa"}"#);
        let other =
            agent_marks(r#"{"instanceID":"i-2","privateKey":"BBBB","privateKeyType":"Rsa"}"#);
        let shared =
            |one: &[String], two: &[String]| one.iter().filter(|mark| two.contains(mark)).count();
        assert_eq!(seed.len(), 2, "{seed:?}");
        assert_eq!(shared(&seed, &copy), 1, "{seed:?} {copy:?}");
        assert_eq!(shared(&seed, &other), 0);
    }
}
