//! What deploying the bridge by itself would remove: what the deployed application version holds beside its code.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Code, Failure};
use crate::cli::{Invocation, guard};
use crate::cloud::ErrorKind;
use crate::event::Emitter;
use crate::pipeline::{self, Context, Deployed, Kind, PipelineError, Plan};
use crate::settings::SettingsError;

/// How to write the bundle all the same.
const ALL_THE_SAME: &str = "to write a bundle that holds the bridge alone all the same: goldseed bridge --replace-deployed";

/// Compares the bridge with what is deployed to the environments of the settings. Returns what to print; refuses where
/// something would go, or where that is not known.
pub(super) async fn compare(
    invocation: &Invocation,
    pipeline: Option<&str>,
) -> Result<String, Failure> {
    let (settings, library) = match guard::read(invocation) {
        Ok(read) => read,
        Err(failure) if is_absent(invocation) => {
            return Err(Failure {
                code: Code::Refused,
                ..failure
            }
            .hint("the bridge replaces the deployed application version, and goldseed.yaml names the environment to compare with")
            .hint(ALL_THE_SAME));
        }
        Err(failure) => return Err(failure),
    };
    let names: Vec<String> = match pipeline {
        Some(name) => vec![name.to_owned()],
        None => settings.pipelines.keys().cloned().collect(),
    };
    let cloud = guard::connect(invocation, &settings, Emitter::silent())
        .await
        .map_err(|failure| failure.hint(ALL_THE_SAME))?;
    let who = &invocation.surroundings.person;
    let mut seen = BTreeSet::new();
    let (mut text, mut lost) = (String::new(), Vec::new());
    for name in names {
        let plan = Plan::without_recipes(&settings, &name, &library)?;
        if !seen.insert(plan.environment.clone()) {
            continue;
        }
        let context = Context {
            cloud: &cloud,
            plan: &plan,
            who,
            attended: true,
        };
        match pipeline::deployed(&context).await {
            Ok(deployed) => {
                lost.extend(what_goes(&plan.environment, &deployed));
                text.push_str(&replaces_code(&plan.environment, &deployed));
            }
            Err(PipelineError::Cloud(error)) if error.kind == ErrorKind::NotFound => {
                writeln!(
                    text,
                    "there is no environment {} yet, so nothing was compared",
                    plan.environment
                )
                .expect("a String takes everything");
            }
            Err(error) => return Err(Failure::from(error).hint(ALL_THE_SAME)),
        }
    }
    if lost.is_empty() {
        return Ok(text);
    }
    let mut failure = Failure::new(
        Code::Refused,
        "the bundle was not written: deploying it would remove what the deployed application version holds",
    )
    .hint("add the bridge to your own bundle, which keeps all of it: goldseed bridge --into BUNDLE (or a folder)")
    .hint(ALL_THE_SAME)
    .hint("nothing was changed");
    failure.causes = lost;
    Err(failure)
}

fn is_absent(invocation: &Invocation) -> bool {
    matches!(
        crate::settings::Settings::load(&invocation.global.file),
        Err(SettingsError::Absent(_))
    )
}

/// What would go from an environment, or why that is not known; nothing where nothing would.
fn what_goes(environment: &str, deployed: &Deployed) -> Vec<String> {
    let label = deployed.label.as_deref().unwrap_or_default();
    match &deployed.bundle {
        Err(reason) => vec![format!(
            "what version {label} of {environment} holds is not known: {reason}"
        )],
        Ok(bundle) => {
            let parts = bundle.configuration();
            let mut list = Vec::from_iter((!parts.is_empty()).then(|| {
                format!(
                    "version {label} of {environment} holds {}",
                    parts.join(", ")
                )
            }));
            let resources = bundle.resources();
            if !resources.is_empty() {
                list.push(format!(
                    "{} of it creates AWS resources: Beanstalk deletes them, and the data in them, when the file is gone",
                    resources.join(", ")
                ));
            }
            list
        }
    }
}

/// What to say where the bridge takes the place of code.
fn replaces_code(environment: &str, deployed: &Deployed) -> String {
    match (deployed.kind(), &deployed.label) {
        (Some(Kind::Plain | Kind::Own), Some(label)) => format!(
            "until the first promotion, {environment} shows a placeholder page in place of the code of version {label}; \
             `goldseed bridge --into BUNDLE` keeps serving it\n"
        ),
        _ => String::new(),
    }
}
