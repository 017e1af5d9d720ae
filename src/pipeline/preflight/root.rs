//! The folder of the application that visitors see: the image's and the environment's option must name the same, or
//! nothing is served.

use super::{Facts, Refusal};
use crate::cloud::{Image, tags};
use crate::pipeline::{Context, PipelineError, Plan};
use crate::record::BaseImage;

/// The namespace of Beanstalk's option `document_root`.
const PHP: &str = "aws:elasticbeanstalk:container:php:phpini";

/// Refuses recipes whose application is served from another folder than the environment's.
pub(super) fn of_recipes(plan: &Plan, facts: &Facts) -> Option<Refusal> {
    let root = plan.apply.root.as_deref()?;
    differs(facts, "the recipes' application", root)
}

/// Refuses an image whose application is served from another folder than the environment's. An older image whose folder
/// is not known is not refused.
pub(in crate::pipeline) fn of_image(plan: &Plan, facts: &Facts, image: &Image) -> Option<Refusal> {
    let same_recipes =
        image.tags.get(tags::RECIPES).map(String::as_str) == Some(plan.recipes_digest().as_str());
    let planned = plan.apply.root.as_ref().filter(|_| same_recipes);
    let root = image.tags.get(tags::DOCUMENT_ROOT).or(planned)?;
    differs(facts, &format!("the application of {}", image.id), root)
}

/// As `of_image`, of what a rollback goes back to. The platform's image has no application.
pub(in crate::pipeline) async fn of_target(
    context: &Context<'_>,
    facts: &Facts,
    target: &BaseImage,
) -> Result<Option<Refusal>, PipelineError> {
    let Some(id) = target.image() else {
        return Ok(None);
    };
    let image = super::known(context.cloud, id).await?;
    Ok(image.and_then(|image| of_image(context.plan, facts, &image)))
}

fn differs(facts: &Facts, what: &str, root: &str) -> Option<Refusal> {
    let wanted = plain(root);
    let set = plain(facts.option(PHP, "document_root").unwrap_or_default());
    let name = &facts.environment.name;
    (wanted != set).then(|| {
        Refusal::new(
            format!(
                "{what} is served from /{wanted}, and the document root of {name} is /{set}: new instances would refuse to serve"
            ),
            format!(
                "set the option in an update of its own: aws elasticbeanstalk update-environment --environment-name \
                 '{name}' --option-settings Namespace={PHP},OptionName=document_root,Value=/{wanted} (or where \
                 .ebextensions set it); instances of an image that serves another folder refuse that update: take \
                 {name} to the platform's image first"
            ),
        )
    })
}

/// A folder without the ways to write it: `/public/`, `public` and `./public` are one.
fn plain(folder: &str) -> &str {
    let folder = folder.trim().trim_matches('/');
    let folder = folder.strip_prefix("./").unwrap_or(folder);
    if folder == "." { "" } else { folder }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::preflight::tests::{deployed_option, fine};

    #[test]
    fn the_same_folder_is_the_same_however_it_is_written() {
        for (root, option) in [
            (".", None),
            (".", Some("/")),
            (".", Some("")),
            ("public", Some("/public")),
            ("public", Some("public/")),
            ("./web/root", Some("/web/root")),
        ] {
            let mut facts = fine();
            if let Some(option) = option {
                deployed_option(&mut facts, PHP, "document_root", option);
            }
            assert_eq!(differs(&facts, "it", root), None, "{root} {option:?}");
        }
    }

    #[test]
    fn another_folder_is_refused_with_the_call_that_sets_it() {
        for (root, option, value) in [
            ("public", None, "Value=/public "),
            ("public", Some("/"), "Value=/public "),
            ("public", Some("/web"), "Value=/public "),
            (".", Some("/public"), "Value=/ "),
            ("public", Some("/public/web"), "Value=/public "),
        ] {
            let mut facts = fine();
            if let Some(option) = option {
                deployed_option(&mut facts, PHP, "document_root", option);
            }
            let refusal = differs(&facts, "it", root).unwrap();
            assert!(refusal.way_out.contains(value), "{refusal:?}");
        }
    }
}
