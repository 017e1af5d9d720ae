//! Who has to allow what a caller was denied.

/// What makes a denied call possible. AWS's message names the action that was denied, which need not be the call's own:
/// Beanstalk asks other services with the caller's rights (IAM User Guide, "Troubleshoot access denied error messages").
pub(super) fn permission(operation: &str, message: &str) -> String {
    let action = message
        .split_once("not authorized to perform: ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map(|action| action.trim_end_matches(['.', ',', ';']))
        .filter(|action| action.contains(':'));
    let action = action.unwrap_or(operation);
    let elsewhere = [
        (
            "service control policy",
            "a service control policy of the organisation",
        ),
        (
            "permissions boundary",
            "the permissions boundary of the caller's role",
        ),
        ("session policy", "the policy of the caller's session"),
        ("VPC endpoint policy", "the policy of a VPC endpoint"),
        ("resource-based policy", "a policy on the resource itself"),
    ];
    // "no identity-based policy allows" names what is missing, "explicit deny in" and other kinds what stands against it.
    let denied = elsewhere
        .iter()
        .find(|(words, _)| message.contains(words))
        .map(|(_, policy)| *policy)
        .or_else(|| {
            message
                .contains("explicit deny")
                .then_some("an explicit deny in a policy of the caller's role")
        });
    match denied {
        Some(policy) => {
            format!("{policy} does not let the caller use {action}: it has to be changed there")
        }
        None => format!(
            "the caller's role needs the permission for {action}; see the README, \"What the tool may do\""
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::permission;

    #[test]
    fn the_action_is_the_one_that_aws_names_and_the_policy_the_one_that_denies_it() {
        let user = "User: arn:aws:sts::123456789012:assumed-role/Deployer/ada is not authorized to perform: ";
        for (operation, message, said) in [
            (
                "RunInstances",
                "You are not authorized.".to_owned(),
                "the permission for RunInstances;",
            ),
            (
                "DescribeEnvironmentResources",
                format!(
                    "{user}autoscaling:DescribeAutoScalingGroups because no identity-based policy allows the action"
                ),
                "the permission for autoscaling:DescribeAutoScalingGroups;",
            ),
            (
                "RunInstances",
                format!(
                    "You are not authorized to perform this operation. {user}ec2:CreateTags on resource: \
                     arn:aws-cn:ec2:cn-north-1:1:instance/* because no identity-based policy allows the ec2:CreateTags action"
                ),
                "the permission for ec2:CreateTags;",
            ),
            (
                "PutParameter",
                format!("{user}kms:Decrypt."),
                "the permission for kms:Decrypt;",
            ),
            (
                "RunInstances",
                format!(
                    "{user}ec2:RunInstances on resource: x with an explicit deny in a service control policy"
                ),
                "a service control policy of the organisation does not let the caller use ec2:RunInstances:",
            ),
            (
                "RunInstances",
                format!(
                    "{user}ec2:RunInstances on resource: x with an explicit deny in an identity-based policy"
                ),
                "an explicit deny in a policy of the caller's role",
            ),
            (
                "SendCommand",
                format!(
                    "{user}ssm:SendCommand because no permissions boundary allows the ssm:SendCommand action"
                ),
                "the permissions boundary of the caller's role",
            ),
        ] {
            let hint = permission(operation, &message);
            assert!(hint.contains(said), "{message}\n{hint}");
        }
    }
}
