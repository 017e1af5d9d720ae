//! Quarantine: an image that was taken back is marked, and a scheduled run does not bring its like back by itself.

use super::preflight::Refusal;
use super::{Context, PipelineError, belonging};
use crate::cloud::{Environment, Tags, tags};
use crate::id::ImageId;
use crate::run::Run;

/// Marks an image.
pub(super) async fn put(
    run: &mut Run,
    context: &Context<'_>,
    image: &ImageId,
    reason: &str,
) -> Result<(), PipelineError> {
    let mark = Tags::from([(tags::QUARANTINED.to_owned(), as_tag(reason))]);
    run.step(
        "rollback/quarantine",
        format!("put {image} into quarantine"),
        async || {
            match context.cloud.tag(image.as_str(), &mark).await {
                Ok(()) => Ok(()),
                // The ledger remembers it all the same; an image of somebody else's cannot be tagged.
                Err(error) if !error.is_transient() => {
                    context
                        .cloud
                        .events()
                        .warn(format!("{image} could not be marked: {error}"));
                    Ok(())
                }
                Err(error) => Err(error.into()),
            }
        },
    )
    .await
    .map_err(PipelineError::from)
}

/// Refuses to build, without a person choosing, from the same recipes and values as an image of this environment that is
/// in quarantine: what comes of it would not be promoted.
pub(super) async fn same_recipes(
    context: &Context<'_>,
    environment: &Environment,
) -> Result<Option<Refusal>, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let wanted = Tags::from([
        (tags::PIPELINE.to_owned(), plan.pipeline.clone()),
        (
            tags::RECIPES.to_owned(),
            plan.recipes_digest().as_str().to_owned(),
        ),
    ]);
    let list = cloud.images_tagged(&wanted).await?;
    let sick = list
        .iter()
        .filter(|image| belonging::is_listed(&image.tags, environment, None))
        .find(|image| image.tags.contains_key(tags::QUARANTINED));
    Ok(sick.map(|image| {
        Refusal::new(
            format!(
                "these recipes with these values made {}, which is in quarantine: {}",
                image.id,
                image.tags.get(tags::QUARANTINED).map_or("", String::as_str)
            ),
            format!(
                "change the recipes; or choose yourself: `goldseed build {0}`, then `goldseed promote {0} --image AMI`",
                plan.pipeline
            ),
        )
    }))
}

/// Cleans a text to what a tag's value may hold: 256 characters of letters, digits, spaces and `+-=._:/@` (EC2 user
/// guide, tag restrictions).
fn as_tag(text: &str) -> String {
    let fit = |character: char| {
        if character.is_alphanumeric() || " +-=._:/@".contains(character) {
            character
        } else {
            ' '
        }
    };
    let clean: String = text.chars().map(fit).collect();
    clean
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(256)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::as_tag;

    #[test]
    fn a_reason_is_cleaned_to_what_a_tag_may_hold() {
        assert_eq!(
            as_tag("health is Severe: <no data>\n(2 of 2)"),
            "health is Severe: no data 2 of 2"
        );
        assert_eq!(as_tag(&"x".repeat(400)).len(), 256);
    }
}
