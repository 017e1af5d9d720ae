//! What would take a site down while its instances are replaced.

use super::{ENVIRONMENT, Facts, ROLLING, Refusal};

/// What would take the site down while instances are replaced.
pub(super) fn outage(facts: &Facts) -> Option<Refusal> {
    let name = &facts.environment.name;
    let accept = "or accept the outage with --accept-downtime";
    if facts.option(ENVIRONMENT, "EnvironmentType") == Some("SingleInstance") {
        let reason = format!("{name} has a single instance: replacing it takes the site down");
        return Some(Refusal::new(
            reason,
            format!("make it load balanced, {accept}"),
        ));
    }
    let on = facts.option(ROLLING, "RollingUpdateEnabled") == Some("true");
    let way_out = format!(
        "set {ROLLING} RollingUpdateEnabled=true and RollingUpdateType=Health or Immutable, in an update of its own \
         before this one, {accept}"
    );
    match facts.option(ROLLING, "RollingUpdateType") {
        _ if !on => {
            let reason =
                format!("rolling updates of {name} are off: all instances would go at once");
            Some(Refusal::new(reason, way_out))
        }
        Some("Health" | "Immutable") => None,
        other => {
            let other = other.unwrap_or("Time");
            let reason = format!(
                "rolling updates of {name} go by `{other}`, not by health: a broken image would replace everything"
            );
            Some(Refusal::new(reason, way_out))
        }
    }
}
