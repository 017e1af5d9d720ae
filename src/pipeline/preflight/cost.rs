//! What replacing the environment's instances costs its visitors: a rollback under each update policy, and long requests.

use super::{ENVIRONMENT, Facts, ROLLING, outage};

/// The namespaces of a balancer's processes begin with this.
const PROCESS: &str = "aws:elasticbeanstalk:environment:process:";
/// The namespace of a Classic Load Balancer's policies.
const CLASSIC: &str = "aws:elb:policies";
/// Beanstalk's default of `DeregistrationDelay` and `ConnectionDrainingTimeout`, in seconds (Beanstalk developer guide,
/// general options).
const DEFAULT_DELAY: u32 = 20;

/// Says what is to be known before instances are replaced.
pub(super) fn notes(facts: &Facts) -> Vec<String> {
    [Some(rollback(facts)), draining(facts)]
        .into_iter()
        .flatten()
        .collect()
}

/// Says what a rollback costs under the environment's policy (Beanstalk developer guide, configuration changes).
pub(super) fn rollback(facts: &Facts) -> String {
    let name = &facts.environment.name;
    if is_single(facts) {
        return format!("a rollback takes {name} down until its single instance is replaced");
    }
    if facts.option(ROLLING, "RollingUpdateEnabled") != Some("true") {
        return format!(
            "a rollback takes {name} down: its rolling updates are off, so all instances are replaced at once"
        );
    }
    let (least, batch) = outage::batch(facts);
    let policy = facts.option(ROLLING, "RollingUpdateType").unwrap_or("Time");
    if policy == "Immutable" {
        return format!(
            "a rollback of {name} (update policy Immutable) launches {least} more instances, and the present ones serve until \
             those are healthy; an update that is under way is aborted while the earlier instances still serve"
        );
    }
    let batches = match least.div_ceil(batch.max(1)) {
        0 | 1 => "all at once".to_owned(),
        batches => format!("in {batches} batches of {batch}"),
    };
    format!(
        "a rollback of {name} (update policy {policy}) replaces {least} instances {batches}: if no new instance works, the \
         site fails until the first batch is back; with policy Immutable the update would be aborted while the earlier \
         instances still serve"
    )
}

/// Says after how long a request to an instance that is being replaced is cut off.
fn draining(facts: &Facts) -> Option<String> {
    if is_single(facts) {
        return None;
    }
    let name = &facts.environment.name;
    let (delay, option) = if facts.option(ENVIRONMENT, "LoadBalancerType") == Some("classic") {
        let drains = facts.option(CLASSIC, "ConnectionDrainingEnabled") == Some("true");
        let delay = number(facts.option(CLASSIC, "ConnectionDrainingTimeout"));
        let delay = if drains { delay } else { 0 };
        (delay, format!("ConnectionDrainingTimeout of {CLASSIC}"))
    } else {
        // Of several processes the shortest counts.
        let set = facts.deployed()?.options.iter();
        let delays = set.filter(|((namespace, option), _)| {
            namespace.starts_with(PROCESS) && option == "DeregistrationDelay"
        });
        let shortest = delays
            .map(|((namespace, _), value)| (number(Some(value)), namespace.clone()))
            .min();
        let (delay, namespace) =
            shortest.unwrap_or_else(|| (DEFAULT_DELAY, format!("{PROCESS}default")));
        (delay, format!("DeregistrationDelay of {namespace}"))
    };
    let when = match delay {
        0 => "at once".to_owned(),
        _ => format!("after {delay} s"),
    };
    Some(format!(
        "requests that an instance of {name} still serves when it is replaced, such as uploads, are cut off {when} with 502 \
         ({option}); raise that where requests take longer"
    ))
}

fn number(text: Option<&str>) -> u32 {
    text.and_then(|text| text.trim().parse().ok())
        .unwrap_or(DEFAULT_DELAY)
}

fn is_single(facts: &Facts) -> bool {
    facts.option(ENVIRONMENT, "EnvironmentType") == Some("SingleInstance")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::preflight::tests::{fine, set};

    const DEFAULT: &str = "aws:elasticbeanstalk:environment:process:default";

    fn with(options: &[(&str, &str, &str)]) -> Facts {
        let mut facts = fine();
        facts.sets = vec![set("deployed", options)];
        facts
    }

    #[test]
    fn each_policy_has_its_price() {
        let size = ("aws:autoscaling:asg", "MinSize", "4");
        let on = (ROLLING, "RollingUpdateEnabled", "true");
        for (options, expected) in [
            (
                vec![(ENVIRONMENT, "EnvironmentType", "SingleInstance")],
                "takes shop-prod down until its single instance",
            ),
            (
                vec![size],
                "takes shop-prod down: its rolling updates are off",
            ),
            (
                vec![size, on, (ROLLING, "RollingUpdateType", "Immutable")],
                "launches 4 more instances",
            ),
            (
                vec![
                    size,
                    on,
                    (ROLLING, "RollingUpdateType", "Health"),
                    (ROLLING, "MaxBatchSize", "1"),
                ],
                "(update policy Health) replaces 4 instances in 4 batches of 1: if no new instance works, the site fails until the first batch is back",
            ),
            (
                vec![size, on, (ROLLING, "MaxBatchSize", "4")],
                "(update policy Time) replaces 4 instances all at once",
            ),
        ] {
            let said = rollback(&with(&options));
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn a_request_is_cut_off_after_the_shortest_delay() {
        let admin = "aws:elasticbeanstalk:environment:process:admin";
        for (options, expected) in [
            (
                vec![],
                "after 20 s with 502 (DeregistrationDelay of aws:elasticbeanstalk:environment:process:default)",
            ),
            (
                vec![
                    (DEFAULT, "DeregistrationDelay", "120"),
                    (admin, "DeregistrationDelay", "60"),
                ],
                "after 60 s with 502 (DeregistrationDelay of aws:elasticbeanstalk:environment:process:admin)",
            ),
            (
                vec![(DEFAULT, "DeregistrationDelay", "0")],
                "cut off at once",
            ),
            (
                vec![(ENVIRONMENT, "LoadBalancerType", "classic")],
                "cut off at once with 502 (ConnectionDrainingTimeout of aws:elb:policies)",
            ),
            (
                vec![
                    (ENVIRONMENT, "LoadBalancerType", "classic"),
                    (CLASSIC, "ConnectionDrainingEnabled", "true"),
                    (CLASSIC, "ConnectionDrainingTimeout", "90"),
                ],
                "after 90 s",
            ),
        ] {
            let said = draining(&with(&options)).unwrap();
            assert!(said.contains(expected), "{said}");
        }
        let single = with(&[(ENVIRONMENT, "EnvironmentType", "SingleInstance")]);
        assert_eq!(draining(&single), None);
    }
}
