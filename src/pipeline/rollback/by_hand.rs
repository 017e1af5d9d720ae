//! What a person needs who has to go on where the tool ends: what is set now, and the call that sets what was before.

use crate::id::{StepId, shell_word};
use crate::pipeline::preflight::{LAUNCH, Ready};
use crate::pipeline::watch::Verdict;
use crate::pipeline::{Context, PipelineError, observe, preflight, remains};
use crate::record::{BaseImage, RunRecord};

/// Looks what the settings name, after a rollback that did not bring a well environment; nothing for other errors.
///
/// # Errors
///
/// Where the environment cannot be looked at.
pub async fn for_a_person(
    context: &Context<'_>,
    error: &PipelineError,
) -> Result<Vec<String>, PipelineError> {
    let (PipelineError::RollbackFailed { previous, .. }
    | PipelineError::RollbackUnwell { previous, .. }) = error
    else {
        return Ok(Vec::new());
    };
    let environment = preflight::environment(context).await?;
    let deployed = context.cloud.deployed_configuration(&environment).await?;
    let (now, _) = observe::base_image(context.cloud, &environment, &deployed).await?;
    let name = &environment.name;
    let mut list = vec![format!(
        "{name} is {}, and its settings name {now}",
        environment.status
    )];
    // Of migrated data the way back begins with the database, and the error says so.
    let migrated = context.plan.migration.as_ref();
    if !migrated.is_some_and(|migration| migration.breaks) {
        list.push(command(name, &now, previous));
    }
    Ok(list)
}

/// How far the taking back of an unfinished run has come; none: it has not begun.
pub fn under_way(record: &RunRecord, environment: &str) -> Option<String> {
    const UPDATE: &str = "rollback/update";
    record.step(&StepId::new(UPDATE))?;
    let ready = remains::output::<Ready>(record, "preflight/environment")?;
    let (target, previous) = (&ready.target, &ready.previous);
    Some(if record.is_done(UPDATE) {
        format!(
            "{environment} was not well with {target} and is being taken back to {previous}, and nobody is watching it"
        )
    } else {
        format!(
            "{environment} is not well with {target}; whether the update back to {previous} was sent is not known, and \
             nobody is watching it"
        )
    })
}

/// What an unfinished run knows of the environment once its watch is over; none: it is not over.
pub fn judged(record: &RunRecord, environment: &str) -> Option<String> {
    let verdict = remains::output::<Verdict>(record, "watch/health")?;
    let target = remains::output::<Ready>(record, "preflight/environment")?.target;
    Some(match verdict {
        Verdict::Well => format!(
            "{environment} runs {target} and was healthy until the end of its watch; only the last steps of the run are missing"
        ),
        Verdict::Unwell(_) => {
            format!("{environment} is unhealthy on {target}, and the rollback has not started")
        }
        Verdict::Hindered(..) => format!(
            "AWS did not carry out the update of {environment} to {target}, and the rollback has not started"
        ),
    })
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
