//! What leads out of an environment that is not Ready.

use crate::cloud::Environment;

/// The calls for a person, by what Beanstalk allows at the moment.
pub fn out_of(environment: &Environment) -> String {
    let Environment { id, name, .. } = environment;
    if environment.is_gone() {
        return "make another environment, and start from there".to_owned();
    }
    if environment.abortable {
        return format!(
            "wait until Beanstalk is done with it, or have its update undone: aws elasticbeanstalk \
             abort-environment-update --environment-name '{name}'"
        );
    }
    format!(
        "wait until Beanstalk is done with it, which cannot be aborted at this point. Where it comes to no end: aws \
         cloudformation describe-stacks --stack-name awseb-{id}-stack; a stack in UPDATE_ROLLBACK_FAILED is freed by aws \
         cloudformation continue-update-rollback --stack-name awseb-{id}-stack, anything else by AWS Support"
    )
}
