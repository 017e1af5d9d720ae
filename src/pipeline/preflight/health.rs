//! An environment that is unhealthy before it is changed: why, and what can be done about it.

use super::{Facts, HEALTH_REPORTING, Refusal};
use crate::cloud::{Cloud, Environment};
use crate::pipeline::verdict::Health;

/// The option of [`HEALTH_REPORTING`] with the rules of enhanced health (Beanstalk developer guide, "Configuring enhanced
/// health rules").
const RULES: &str = "ConfigDocument";

/// The rules that leave responses with 4xx out of an environment's health, as pointers into the document.
const IGNORES_4XX: [&str; 2] = [
    "/Rules/Environment/Application/ApplicationRequests4xx/Enabled",
    "/Rules/Environment/ELB/ELBRequests4xx/Enabled",
];

/// The part of the document that sets those rules.
const IGNORE_4XX: &str = r#"{"Version":1,"Rules":{"Environment":{"Application":{"ApplicationRequests4xx":{"Enabled":false}},"ELB":{"ELBRequests4xx":{"Enabled":false}}}}}"#;

/// Returns the causes that enhanced health gives for an environment that is not healthy. They are for people: where they
/// cannot be read, that is the cause.
pub(super) async fn causes(cloud: &Cloud, environment: &Environment) -> Vec<String> {
    let Some(status) = &environment.health_status else {
        return Vec::new();
    };
    if Health::read(status, &[]).is_good() {
        return Vec::new();
    }
    match cloud.environment_health(environment).await {
        Ok(health) => health.causes,
        Err(error) => vec![format!("the causes could not be read: {error}")],
    }
}

/// The health that is accepted for a promotion; during its watch, a health that is no worse counts as healthy.
pub(super) fn accepted(facts: &Facts) -> Option<&str> {
    let health = status(facts);
    (facts.accept_unhealthy && is_bad(health)).then_some(health)
}

/// Refuses an environment that is not healthy, unless that is accepted. Health that is not known cannot be.
pub(super) fn refusal(facts: &Facts) -> Option<Refusal> {
    let health = status(facts);
    if Health::read(health, &[]).is_good() || accepted(facts).is_some() {
        return None;
    }
    let name = &facts.environment.name;
    if !is_bad(health) {
        return Some(Refusal::new(
            format!(
                "the health of {name} is not known before the update: it is {}",
                describe(facts)
            ),
            "wait until Beanstalk reports its health: without it the new image cannot be judged",
        ));
    }
    let mut way_out = String::from(
        "fix that first: in an unhealthy environment goldseed cannot tell whether the new image is at fault",
    );
    if facts.causes.iter().any(|cause| cause.contains("4xx")) && !ignores_4xx(facts) {
        let rule = format!(
            "; if the 4xx responses are the clients' fault, such as bots', leave them out of its health: add to {RULES} of \
             {HEALTH_REPORTING} {IGNORE_4XX}"
        );
        way_out.push_str(&rule);
    }
    let consent = format!(
        "; or, for an update that cannot wait, add --accept-unhealthy: during the watch {health} or better then counts \
         as healthy"
    );
    way_out.push_str(&consent);
    Some(Refusal::new(
        format!(
            "{name} is unhealthy before the update: its health is {}",
            describe(facts)
        ),
        way_out,
    ))
}

/// What to say where an unhealthy environment is accepted.
pub(super) fn note(facts: &Facts) -> Option<String> {
    let health = accepted(facts)?;
    Some(format!(
        "{} is unhealthy before the update, which was accepted: its health is {}; during the watch {health} or better \
         counts as healthy",
        facts.environment.name,
        describe(facts)
    ))
}

/// Sorts a health status or colour in a watch: one that is no worse than the `accepted` one is good.
pub(in crate::pipeline) fn health_of(
    status: &str,
    causes: &[String],
    accepted: Option<&str>,
) -> Health {
    let no_worse = accepted
        .and_then(severity)
        .zip(severity(status))
        .is_some_and(|(accepted, now)| now <= accepted);
    if no_worse {
        Health::Good(status.to_owned())
    } else {
        Health::read(status, causes)
    }
}

/// How bad a health status or colour is; none where nothing is known.
fn severity(status: &str) -> Option<u8> {
    match status {
        "Ok" | "Info" | "Green" => Some(0),
        "Warning" | "Yellow" => Some(1),
        "Degraded" => Some(2),
        "Severe" | "Red" => Some(3),
        _ => None,
    }
}

fn describe(facts: &Facts) -> String {
    let health = status(facts);
    if facts.causes.is_empty() {
        health.to_owned()
    } else {
        format!("{health} ({})", facts.causes.join("; "))
    }
}

fn status(facts: &Facts) -> &str {
    let environment = &facts.environment;
    environment
        .health_status
        .as_deref()
        .unwrap_or(&environment.health)
}

fn is_bad(health: &str) -> bool {
    matches!(Health::read(health, &[]), Health::Bad(_))
}

fn ignores_4xx(facts: &Facts) -> bool {
    let document = facts
        .option(HEALTH_REPORTING, RULES)
        .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    document.is_some_and(|document| {
        IGNORES_4XX
            .iter()
            .all(|rule| document.pointer(rule) == Some(&serde_json::Value::Bool(false)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::preflight::tests::{fine, set};

    fn with_health(health: &str, causes: &[&str]) -> Facts {
        let mut facts = fine();
        facts.environment.health_status = Some(health.to_owned());
        facts.causes = causes.iter().map(ToString::to_string).collect();
        facts
    }

    #[test]
    fn the_refusal_names_the_causes_and_the_rule_that_ignores_4xx() {
        let facts = with_health(
            "Warning",
            &["22.6 % of the requests are erroring with HTTP 4xx."],
        );
        let refusal = refusal(&facts).unwrap();
        assert!(refusal.reason.contains("Warning (22.6 %"), "{refusal:?}");
        for text in [IGNORE_4XX, RULES, HEALTH_REPORTING, "--accept-unhealthy"] {
            assert!(refusal.way_out.contains(text), "{refusal:?}");
        }
        // The rule that is advised is the one that is looked for.
        let mut facts = facts;
        facts.sets = vec![set("deployed", &[(HEALTH_REPORTING, RULES, IGNORE_4XX)])];
        assert!(ignores_4xx(&facts));
        assert!(!super::refusal(&facts).unwrap().way_out.contains(RULES));
    }

    #[test]
    fn other_causes_do_not_lead_to_that_rule() {
        let facts = with_health(
            "Severe",
            &["100.0 % of the requests are failing with HTTP 5xx."],
        );
        assert!(!refusal(&facts).unwrap().way_out.contains(RULES));
    }

    #[test]
    fn what_is_unhealthy_can_be_accepted_and_what_is_not_known_cannot() {
        for health in ["Warning", "Degraded", "Severe"] {
            let mut facts = with_health(health, &[]);
            assert!(refusal(&facts).is_some(), "{health}");
            assert_eq!(accepted(&facts), None, "{health}");
            facts.accept_unhealthy = true;
            assert_eq!(refusal(&facts), None, "{health}");
            assert_eq!(accepted(&facts), Some(health));
            assert!(note(&facts).unwrap().contains(health));
        }
        for health in ["NoData", "Pending", "Unknown", "Suspended"] {
            let mut facts = with_health(health, &[]);
            facts.accept_unhealthy = true;
            assert!(refusal(&facts).is_some(), "{health}");
        }
        let mut facts = with_health("Ok", &[]);
        facts.accept_unhealthy = true;
        assert_eq!((accepted(&facts), note(&facts)), (None, None));
    }

    #[test]
    fn a_health_that_was_accepted_is_good_and_a_worse_one_is_not() {
        for (status, accepted, good) in [
            ("Warning", Some("Warning"), true),
            ("Ok", Some("Warning"), true),
            ("Degraded", Some("Warning"), false),
            ("Warning", None, false),
            ("Severe", Some("Severe"), true),
            ("NoData", Some("Severe"), false),
            ("Yellow", Some("Yellow"), true),
        ] {
            let health = health_of(status, &[], accepted);
            assert_eq!(health.is_good(), good, "{status} {accepted:?}");
        }
    }
}
