//! What a failure of AWS means to a person: every kind names the one thing that helps.

use super::permission::permission;
use super::{ExitCode, Failure};
use crate::cloud::{CloudError, ErrorKind};
use crate::pipeline::Trouble;

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        // What was not sent has no operation to speak of.
        let message = match error.operation {
            "connect" => error.message.clone(),
            _ => error.to_string(),
        };
        let failure = Self::new(ExitCode::Aws, message);
        if let Some(hint) = of_account(error.code.as_deref()) {
            return failure.hint(hint);
        }
        match error.kind {
            ErrorKind::NoCredentials => Self { code: ExitCode::Refused, ..failure }
                .hint("log in (`aws sso login`, --profile, AWS_PROFILE, AWS_ACCESS_KEY_ID), then try again"),
            ErrorKind::Configuration => Self { code: ExitCode::Usage, ..failure },
            ErrorKind::Refused if error.operation == "connect" => Self {
                code: ExitCode::Refused,
                ..failure
            },
            ErrorKind::Denied
                if matches!(
                    error.code.as_deref(),
                    Some(
                        "InvalidClientTokenId"
                            | "UnrecognizedClientException"
                            | "SignatureDoesNotMatch"
                            | "InvalidSignatureException"
                            | "RequestTimeTooSkewed"
                    )
                ) =>
            {
                failure.hint("the access key is wrong or deactivated, or this machine's clock is off")
            }
            ErrorKind::Denied if error.code.as_deref() == Some("AuthFailure") => failure.hint(
                "AWS does not accept the credentials, or they may not use this: log in again, and check this machine's clock",
            ),
            ErrorKind::Expired => failure.hint(
                "the credentials have expired and nothing renews them: log in, then resume the run or repeat the command",
            ),
            ErrorKind::Renewing => failure.hint(
                "the source of the credentials returns none that are valid: log in, then resume the run or repeat the command",
            ),
            ErrorKind::Denied => {
                let hint = permission(error.operation, &error.message);
                failure.hint(hint)
            }
            ErrorKind::Quota if error.code.as_deref() == Some("ParameterMaxVersionLimitExceeded") => {
                let hint = labelled(&error.subject);
                failure.hint(hint)
            }
            ErrorKind::Quota => failure.hint(room(error.code.as_deref().unwrap_or_default())),
            ErrorKind::Throttled => {
                failure.hint("others use up the account's rate of requests; go on a little later")
            }
            ErrorKind::NotFound => failure.hint(
                "it was removed, or is another account's or region's: look at what the settings name",
            ),
            ErrorKind::WrongState => failure.hint("wait until it has changed, then go on"),
            ErrorKind::Refused if error.code.as_deref() == Some("OperationNotPermitted") => {
                let hint = protected(error.operation, &error.subject);
                failure.hint(hint)
            }
            ErrorKind::Refused => {
                failure.hint("mend what AWS calls wrong where goldseed.yaml says it, then go on")
            }
            ErrorKind::Malformed => failure.hint(
                "no AWS answers like this: look at AWS_ENDPOINT_URL and at proxies on the way",
            ),
            ErrorKind::Unreachable if error.message.contains("certificate") => failure.hint(
                "name the authority that signed it with AWS_CA_BUNDLE or `ca_bundle`, as for the AWS CLI, then go on",
            ),
            ErrorKind::Unreachable => {
                failure.hint("check the network, AWS_ENDPOINT_URL and the region, then go on")
            }
            ErrorKind::HeldBack => failure.hint(
                "it was not sent, or not a second time; `goldseed status` tells who holds the environment now",
            ),
            ErrorKind::AlreadyExists => {
                failure.hint("something that is not of this run has this name: remove it, then go on")
            }
        }
    }
}

/// What to do about what kept AWS from starting an environment's instances.
pub(super) fn cure(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Capacity => {
            "EC2 has no room for these instances at the moment: try again later, or give the environment more instance types \
             (aws:ec2:instances InstanceTypes) or subnets in other zones"
        }
        Trouble::Quota => {
            "raise the quota that is named above (Service Quotas), or end what nobody needs"
        }
        Trouble::Key => {
            "let the role AWSServiceRoleForAutoScaling use the KMS key of the image's snapshots, and see that the key is \
             enabled: see the README, \"What the tool may do\""
        }
        Trouble::Policy => {
            "a policy, or a setting of the account or the environment, forbids the launch: change what is named above"
        }
    }
}

/// What to do where the account itself may not do this (EC2 API reference, "Common client errors").
fn of_account(code: Option<&str>) -> Option<&'static str> {
    match code? {
        "OptInRequired" => Some(
            "the account is not subscribed to this: finish its registration, or accept the terms of the image's product in \
             AWS Marketplace, then go on",
        ),
        "PendingVerification" => Some(
            "AWS is still verifying the account for this region: go on once its mail says that this is done",
        ),
        "Blocked" => Some("AWS has blocked the account: only AWS Support can help"),
        _ => None,
    }
}

/// What to do about something that somebody protects. Code and attributes: EC2 API reference, `ModifyInstanceAttribute`.
fn protected(operation: &str, subject: &str) -> String {
    let option = match operation {
        "TerminateInstances" => "--no-disable-api-termination",
        "StopInstances" => "--no-disable-api-stop",
        _ => {
            return format!(
                "{subject} is protected: take the protection off where nobody needs it, then go on"
            );
        }
    };
    format!(
        "somebody protects {subject}: where nobody needs that, aws ec2 modify-instance-attribute --instance-id {subject} \
         {option}, then go on; with the tag goldseed:keep it is left alone"
    )
}

/// What to do about a parameter of which no more versions can be kept: only a label keeps Parameter Store from dropping
/// the oldest (Systems Manager User Guide, "Working with parameter versions").
fn labelled(name: &str) -> String {
    format!(
        "a label on the oldest of its 100 versions keeps Parameter Store from replacing it: find it with aws ssm \
         get-parameter-history --name {name}, remove it with aws ssm unlabel-parameter-version --name {name} \
         --parameter-version NUMBER --labels LABEL, then go on"
    )
}

/// What makes room again where a quota or the capacity is used up. Codes: EC2 and Systems Manager API references.
fn room(code: &str) -> &'static str {
    match code {
        "VcpuLimitExceeded" | "InstanceLimitExceeded" => {
            "terminate instances that nobody needs, or raise the quota of running instances (Service Quotas), then go on"
        }
        "ConcurrentSnapshotLimitExceeded" => {
            "wait until other snapshots of this account are done, then go on"
        }
        "ParameterLimitExceeded" => {
            "delete parameters that nobody needs: an account and region has room for 10,000 standard ones"
        }
        "InsufficientInstanceCapacity" | "InsufficientHostCapacity" | "InsufficientCapacity" => {
            "set another `instance-type:` or `subnet:` below `seed:` and start another run, or go on later"
        }
        _ => {
            "remove images and snapshots that nobody needs, or raise the quota (Service Quotas), then go on"
        }
    }
}
