//! Why an update failed: read from Beanstalk's warnings and errors since it was sent. Pure.
//!
//! Beanstalk has no codes for this: its events carry the texts of EC2, Auto Scaling and its own engine. Three kinds of
//! events are told apart. *Conclusions* ("Failed to deploy configuration.") say only that something failed. What an
//! instance's *engine* reports comes from the image, whatever words are in it. The rest may name a *trouble* of AWS or of
//! the account: then no instance of the image was judged, and it is not blamed. A text that nobody knows leaves the image
//! blamed: a quarantine that is wrong costs a person's look, and a missing one costs another failed update.

use serde::{Deserialize, Serialize};

use crate::cloud::EnvironmentEvent;

/// What kept AWS from starting instances, whatever their image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trouble {
    /// EC2 has no room for such instances at the moment, or failed itself.
    Capacity,
    /// A quota of the account is used up.
    Quota,
    /// A KMS key may not or cannot be used.
    Key,
    /// A policy, or a setting of the account or of the environment, forbids it.
    Policy,
}

/// Why an update failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// The first errors, in Beanstalk's words.
    pub(super) text: String,
    /// What is to blame where it is not the image.
    pub(super) trouble: Option<Trouble>,
}

/// How many errors are quoted.
const QUOTED: usize = 2;

/// Says that something failed, and not what.
const CONCLUSIONS: [&str; 5] = [
    "failed to deploy configuration",
    "failed to deploy application",
    "complete, but with errors",
    "reverted to the previous configuration",
    "environment health has",
];

/// Comes from an instance that ran: its output may hold any words.
const OF_AN_ENGINE: [&str; 4] = [
    "command failed on instance",
    "unsuccessful command execution",
    "engine execution has encountered an error",
    "failed to run command",
];

/// Codes and texts of EC2, Auto Scaling, CloudFormation and KMS, in lower case.
const TROUBLES: [(Trouble, &[&str]); 4] = [
    (
        Trouble::Key,
        &[
            "kms",
            "client.internalerror",
            "client error on launch",
            "customer master key",
        ],
    ),
    (
        Trouble::Quota,
        &[
            "limitexceeded",
            "quotaexceeded",
            "vcpu limit",
            "instance limit",
            "spot instance count",
            "service quota",
            "exceeded your maximum",
            "maximum number of addresses",
            "more vcpu capacity than your",
            "reached your quota",
        ],
    ),
    (
        Trouble::Capacity,
        &[
            "insufficientinstancecapacity",
            "insufficienthostcapacity",
            "insufficientcapacity",
            "insufficient capacity",
            "insufficientfreeaddressesinsubnet",
            "not have enough free addresses",
            "do not have sufficient",
            "no spot capacity",
            "unfulfillablecapacity",
            "spotmaxpricetoolow",
            "not supported in your requested availability zone",
            "server.internalerror",
            "internal error has occurred",
            "service unavailable",
            "serviceunavailable",
            "rate exceeded",
            "throttling",
        ],
    ),
    (
        Trouble::Policy,
        &[
            "unauthorizedoperation",
            "accessdenied",
            "not authorized",
            "explicit deny",
            "service control policy",
            "authorization failure",
            "tagpolicy",
            "optinrequired",
            "accept terms",
            "pendingverification",
            "account is currently blocked",
            "invalid iam instance profile",
            "iaminstanceprofile",
            "invalidkeypair",
            "invalidgroup.",
            "invalidsecuritygroupid",
            "invalidsubnet",
        ],
    ),
];

fn holds(text: &str, list: &[&str]) -> bool {
    list.iter().any(|part| text.contains(part))
}

/// The trouble that an event names.
fn trouble_of(message: &str) -> Option<Trouble> {
    let text = message.to_lowercase();
    let of = TROUBLES.iter().find(|(_, words)| holds(&text, words));
    of.map(|(trouble, _)| *trouble)
}

/// The last error that says more than that something failed.
pub(super) fn last_error(events: &[EnvironmentEvent]) -> Option<String> {
    let telling = |event: &&EnvironmentEvent| {
        event.is_error() && !holds(&event.message.to_lowercase(), &CONCLUSIONS)
    };
    let last = events.iter().rev().find(telling)?;
    Some(last.message.trim().trim_end_matches('.').to_owned())
}

/// Reads why an update failed from its warnings and errors, oldest first; none where they say nothing.
pub(super) fn of_events(events: &[EnvironmentEvent]) -> Option<Cause> {
    let telling = events
        .iter()
        .filter(|event| !holds(&event.message.to_lowercase(), &CONCLUSIONS));
    let engine = |event: &EnvironmentEvent| holds(&event.message.to_lowercase(), &OF_AN_ENGINE);
    let mut from_outside = telling.clone().filter(|event| !engine(event));
    let trouble = from_outside.find_map(|event| trouble_of(&event.message));
    let trouble = trouble.filter(|_| !telling.clone().any(engine));
    let mut quoted: Vec<&str> = Vec::new();
    for event in telling {
        let says = match trouble {
            Some(_) => trouble_of(&event.message).is_some(),
            None => event.is_error(),
        };
        let message = event.message.trim().trim_end_matches('.');
        if says && quoted.len() < QUOTED && !quoted.contains(&message) {
            quoted.push(message);
        }
    }
    (!quoted.is_empty()).then(|| Cause {
        text: quoted.join("; "),
        trouble,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: i64, severity: &str, message: &str) -> EnvironmentEvent {
        EnvironmentEvent {
            date: jiff::Timestamp::from_second(second).unwrap(),
            severity: severity.to_owned(),
            message: message.to_owned(),
            request_id: None,
        }
    }

    fn errors(messages: &[&str]) -> Vec<EnvironmentEvent> {
        (0..)
            .zip(messages)
            .map(|(second, message)| event(second, "ERROR", message))
            .collect()
    }

    #[test]
    fn troubles_of_aws_are_told_from_those_of_the_image() {
        use Trouble::{Capacity, Key, Policy, Quota};
        for (message, expected) in [
            (
                "Creating Auto Scaling group instance failed Reason: Launching a new EC2 instance. Status Reason: We currently \
                 do not have sufficient t3.small capacity in the Availability Zone you requested (eu-central-1a). Launching \
                 EC2 instance failed.",
                Some(Capacity),
            ),
            ("InsufficientInstanceCapacity: try later", Some(Capacity)),
            (
                "Your requested instance type (m8g.large) is not supported in your requested Availability Zone \
                 (eu-central-1c).",
                Some(Capacity),
            ),
            (
                "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket",
                Some(Quota),
            ),
            ("Max spot instance count exceeded", Some(Quota)),
            ("VolumeLimitExceeded: no more", Some(Quota)),
            (
                "Instance became unhealthy. Termination Reason: Client.InvalidKMSKey.InvalidState: The KMS key provided is in \
                 an incorrect state",
                Some(Key),
            ),
            ("Client.InternalError: Client error on launch", Some(Key)),
            (
                "API: ec2:RunInstances You are not authorized to perform this operation. Encoded authorization failure \
                 message: abc",
                Some(Policy),
            ),
            (
                "The following instances have not responded in the allowed command timeout time: [i-1].",
                None,
            ),
            (
                "[Instance: i-1] Command failed on instance. Return code: 1 Output: mysql: service unavailable, kms, quota.",
                None,
            ),
            (
                "InvalidAMIID.NotFound: The image id '[ami-1]' does not exist",
                None,
            ),
        ] {
            let cause = of_events(&errors(&[message, "Failed to deploy configuration."])).unwrap();
            assert_eq!(cause.trouble, expected, "{message}");
            assert_eq!(cause.text, message.trim_end_matches('.'));
        }
    }

    #[test]
    fn the_first_errors_are_quoted_once_and_conclusions_never() {
        let list = errors(&[
            "Environment health has transitioned from Ok to Severe.",
            "nginx does not accept its configuration",
            "nginx does not accept its configuration",
            "stack failed",
            "something else",
            "Failed to deploy configuration.",
        ]);
        let cause = of_events(&list).unwrap();
        assert_eq!(
            cause.text,
            "nginx does not accept its configuration; stack failed"
        );
        assert_eq!(of_events(&list[..1]), None);
        assert_eq!(of_events(&[]), None);
    }

    #[test]
    fn an_instance_that_ran_and_failed_is_blamed_after_a_trouble_too() {
        let list = errors(&[
            "InsufficientInstanceCapacity: not in this zone",
            "[Instance: i-1] Command failed on instance. Return code: 1",
        ]);
        assert_eq!(of_events(&list).unwrap().trouble, None);
    }

    #[test]
    fn a_warning_counts_where_it_names_a_trouble() {
        let list = [
            event(1, "WARN", "InsufficientInstanceCapacity: try later"),
            event(2, "WARN", "something slow"),
        ];
        let cause = of_events(&list).unwrap();
        assert_eq!(cause.trouble, Some(Trouble::Capacity));
        assert_eq!(cause.text, "InsufficientInstanceCapacity: try later");
        assert_eq!(of_events(&list[1..]), None);
    }
}
