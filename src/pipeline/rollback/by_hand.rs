//! What a person needs who has to go on where the tool ends: what is set now, and the call that sets what was before.

use crate::id::shell_word;
use crate::pipeline::preflight::LAUNCH;
use crate::pipeline::{Context, PipelineError, observe, preflight};
use crate::record::BaseImage;

/// Looks what the settings name, after a rollback that did not bring a well environment; nothing for other errors.
///
/// # Errors
///
/// Where the environment cannot be looked at.
pub async fn for_a_person(
    context: &Context<'_>,
    error: &PipelineError,
) -> Result<Vec<String>, PipelineError> {
    let previous = match error {
        PipelineError::RollbackFailed { previous, .. }
        | PipelineError::RollbackUnwell { previous, .. } => Some(previous),
        // Its run goes on once the environment is Ready.
        PipelineError::Stuck(_) => None,
        _ => return Ok(Vec::new()),
    };
    let environment = preflight::environment(context).await?;
    let deployed = context.cloud.deployed_configuration(&environment).await?;
    let (now, _) = observe::base_image(context.cloud, &environment, &deployed).await?;
    let name = &environment.name;
    let mut list = vec![format!(
        "{name} is {}, and its settings name {now}",
        environment.status
    )];
    // An environment that is not Ready takes no update.
    if !environment.is_ready() {
        list.push(preflight::out_of(&environment));
    }
    // Of migrated data the way back begins with the database, and the error says so.
    let migrated = context.plan.migration.as_ref();
    if let Some(previous) = previous
        && !migrated.is_some_and(|migration| migration.breaks)
    {
        let call = command(name, &now, previous);
        list.push(if environment.is_ready() {
            call
        } else {
            format!("once it is Ready, {call}")
        });
    }
    Ok(list)
}

/// The call that sets the image before; where that is set already, any other.
fn command(environment: &str, now: &BaseImage, previous: &BaseImage) -> String {
    let call = format!(
        "aws elasticbeanstalk update-environment --environment-name {}",
        shell_word(environment)
    );
    let option = format!("Namespace={LAUNCH},OptionName=ImageId");
    match previous.image() {
        _ if now == previous => {
            format!("to another image by hand: {call} --option-settings {option},Value=AMI")
        }
        Some(image) => {
            format!("to {image} by hand: {call} --option-settings {option},Value={image}")
        }
        None => format!("to {previous} by hand: {call} --options-to-remove {option}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_leads_to_what_was_before() {
        let image = BaseImage::from_value("ami-1");
        let call = |now, previous| command("shop-prod", now, previous);
        assert!(call(&BaseImage::PLATFORM, &image).ends_with("OptionName=ImageId,Value=ami-1"));
        assert!(call(&image, &BaseImage::PLATFORM).contains("--options-to-remove Namespace="));
        assert!(call(&image, &image).ends_with("Value=AMI"));
    }
}
