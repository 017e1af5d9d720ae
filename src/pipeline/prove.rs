//! Prove: boot a throw-away machine from the golden image and check it. Fresh identity, no leftovers, the application
//! put in place as a deployment would, every recipe's checks. Only this proves what happens at shutdown and boot.

use super::inspect::{self, Identity};
use super::launch::{self, Seed};
use super::names::Role;
use super::observe::Ground;
use super::{Context, PipelineError, apply, revive};
use crate::cloud::{Tags, tags};
use crate::id::ImageId;
use crate::run::Run;

/// What a run does on the machine that proves.
const ON_THE_PROOF: [&str; 4] = [
    "prove/launch",
    "prove/agent",
    "prove/identity",
    "prove/checks",
];

/// Proves a golden image and tags it.
pub(super) async fn boots(
    run: &mut Run,
    context: &Context<'_>,
    ground: &Ground,
    seed: &Seed,
    golden: &ImageId,
) -> Result<(), PipelineError> {
    revive::throw_away(run, context, &ON_THE_PROOF).await?;
    let id = run.id().clone();
    let driver = run.driver();
    let proof = run
        .step(
            "prove/launch",
            format!("boot a machine from {golden}"),
            async || launch::machine(context, &driver, &ground.place, Role::Proof, golden).await,
        )
        .await?;
    run.step(
        "prove/agent",
        format!("wait for the agent of {proof}"),
        async || launch::until_it_answers(context.cloud, &proof).await,
    )
    .await?;
    run.step(
        "prove/identity",
        format!("check that {proof} is a new machine"),
        async || {
            inspect::must_be_quiet(context, &id, "proof", &proof).await?;
            let fresh = inspect::identity(context, &id, "proof", &proof).await?;
            must_differ(golden, &seed.identity, &fresh)?;
            Ok(fresh)
        },
    )
    .await?;
    run.step(
        "prove/checks",
        "no leftovers, and every recipe's checks",
        async || {
            inspect::must_have_no_leftovers(context, &id, &proof).await?;
            apply::checks(context, &id, "proof", &proof).await
        },
    )
    .await?;
    run.step("prove/tag", format!("tag {golden} as proved"), async || {
        let mut proved = Tags::from([(tags::PROVED.to_owned(), "boot".to_owned())]);
        let root = inspect::document_root(context, &id, &proof).await?;
        proved.extend(root.map(|root| (tags::DOCUMENT_ROOT.to_owned(), root)));
        context.cloud.tag(golden.as_str(), &proved).await?;
        Ok(())
    })
    .await
    .map_err(PipelineError::from)?;
    run.step(
        "prove/terminate",
        format!("terminate {proof}"),
        async || {
            context.cloud.ensure_terminated(&proof).await?;
            Ok(())
        },
    )
    .await
    .map_err(PipelineError::from)
}

/// Refuses an image whose machine shares a mark of identity with the seed it was grown on.
fn must_differ(golden: &ImageId, seed: &Identity, proof: &Identity) -> Result<(), PipelineError> {
    let shared: Vec<&str> = proof
        .0
        .iter()
        .filter(|mark| seed.0.contains(mark))
        .filter_map(|mark| mark.split(' ').next())
        .collect();
    if shared.is_empty() {
        return Ok(());
    }
    Err(PipelineError::Unproved(format!(
        "{golden} is not generalised: a machine that booted from it has the seed's own {}",
        shared.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_mark_of_identity_is_found_and_named() {
        let marks = |list: &[&str]| Identity(list.iter().map(ToString::to_string).collect());
        let golden = ImageId::new("ami-1");
        let seed = marks(&["machine-id aaa", "ssm-vault bbb"]);
        assert!(must_differ(&golden, &seed, &marks(&["machine-id ccc", "ssm-vault ddd"])).is_ok());
        let error = must_differ(&golden, &seed, &marks(&["machine-id ccc", "ssm-vault bbb"]));
        assert!(error.unwrap_err().to_string().ends_with("own ssm-vault"));
    }
}
