//! What would take a site down while its instances are replaced.

use std::time::Duration;

use super::{ENVIRONMENT, Facts, HEALTH_REPORTING, ROLLING, Refusal};

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
        Some("Immutable") => None,
        Some("Health") => empties_the_group(facts).then(|| {
            let reason = format!(
                "rolling updates of {name} may leave no instance in service: they replace all that it must have at once"
            );
            let way_out = format!(
                "set aws:autoscaling:asg MaxSize to 2 or more and {ROLLING} MinInstancesInService to 1 or more, or \
                 RollingUpdateType=Immutable, in an update of its own before this one, {accept}"
            );
            Refusal::new(reason, way_out)
        }),
        other => {
            let other = other.unwrap_or("Time");
            let reason = format!(
                "rolling updates of {name} go by `{other}`, not by health: a broken image would replace everything"
            );
            Some(Refusal::new(reason, way_out))
        }
    }
}

/// Tells whether a rolling update may take every instance out before the first new one is in service. A batch is
/// terminated before its replacement starts, and `MinInstancesInService` must be less than `MaxSize`: with a `MaxSize`
/// of 1 it is 0 (Beanstalk developer guide, rolling configuration updates).
fn empties_the_group(facts: &Facts) -> bool {
    let (least, batch) = batch(facts);
    number(facts, "aws:autoscaling:asg", "MaxSize") == Some(1)
        || (number(facts, ROLLING, "MinInstancesInService") == Some(0) && batch >= least)
}

/// Returns the least number of instances of the group, and how many of them a rolling update replaces at a time: a third
/// where nothing is set.
pub(super) fn batch(facts: &Facts) -> (u32, u32) {
    let least = number(facts, "aws:autoscaling:asg", "MinSize").unwrap_or(1);
    let batch = number(facts, ROLLING, "MaxBatchSize").unwrap_or_else(|| least.div_ceil(3));
    (least, batch)
}

fn number(facts: &Facts, namespace: &str, option: &str) -> Option<u32> {
    facts.option(namespace, option)?.parse().ok()
}

/// What to say where the group's batches may take longer than the watch looks on. Each may take its time-out, half an
/// hour where none is set (Beanstalk developer guide, options of `aws:autoscaling:updatepolicy:rollingupdate`).
pub(super) fn longer_than(facts: &Facts, deadline: Duration) -> Option<String> {
    if facts.option(ROLLING, "RollingUpdateType") != Some("Health") {
        return None;
    }
    let (least, batch) = batch(facts);
    let batches = least.div_ceil(batch.max(1));
    let said: Option<jiff::SignedDuration> = facts
        .option(ROLLING, "Timeout")
        .and_then(|text| text.parse().ok());
    let timeout = said
        .and_then(|said| Duration::try_from(said).ok())
        .unwrap_or(Duration::from_mins(30));
    (timeout * batches > deadline).then(|| {
        format!(
            "{batches} batches of {} with {} minutes each at most may take longer than the {} minutes of \
             `watch.deadline`, after which the image is taken back",
            facts.environment.name,
            timeout.as_secs() / 60,
            deadline.as_secs() / 60
        )
    })
}

/// What Beanstalk itself would refuse: immutable updates are judged by enhanced health.
pub(super) fn impossible(facts: &Facts) -> Option<Refusal> {
    let immutable = facts.option(ROLLING, "RollingUpdateEnabled") == Some("true")
        && facts.option(ROLLING, "RollingUpdateType") == Some("Immutable");
    let enhanced = facts.environment.health_status.is_some()
        || facts.option(HEALTH_REPORTING, "SystemType") == Some("enhanced");
    (immutable && !enhanced).then(|| {
        Refusal::new(
            format!(
                "{} has immutable updates without enhanced health: Beanstalk refuses such an update",
                facts.environment.name
            ),
            format!("set {HEALTH_REPORTING} SystemType=enhanced, in an update of its own before this one"),
        )
    })
}
