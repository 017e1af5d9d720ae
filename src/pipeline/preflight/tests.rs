use std::collections::BTreeMap;
use std::time::Duration;

use super::image::image_refusals;
use super::*;
use crate::cloud::{Image, ImageState, tags};
use crate::id::RunId;
use crate::record::Writer;

pub(super) fn set(status: &str, options: &[(&str, &str, &str)]) -> ConfigurationSet {
    let options = options.iter().map(|(namespace, option, value)| {
        (
            ((*namespace).to_owned(), (*option).to_owned()),
            (*value).to_owned(),
        )
    });
    ConfigurationSet {
        status: status.into(),
        options: options.collect::<BTreeMap<_, _>>(),
    }
}

/// An environment that nothing speaks against.
pub(super) fn fine() -> Facts {
    Facts {
        environment: Environment {
            id: EnvironmentId::new("e-1"),
            name: "shop-prod".into(),
            application: "shop".into(),
            status: "Ready".into(),
            health: "Green".into(),
            health_status: Some("Ok".into()),
            version: Some("bridge-1".into()),
            platform: "arn:aws:elasticbeanstalk:eu-central-1::platform/PHP/4.3.2".into(),
            endpoint: Some("localhost".into()),
            tier: "WebServer".into(),
            abortable: false,
        },
        sets: vec![set(
            "deployed",
            &[
                (ENVIRONMENT, "EnvironmentType", "LoadBalanced"),
                (ROLLING, "RollingUpdateEnabled", "true"),
                (ROLLING, "RollingUpdateType", "Health"),
                (LAUNCH, "RootVolumeSize", "10"),
            ],
        )],
        actions: Vec::new(),
        lease: None,
        migrating: None,
        now: "2026-11-23T03:00:00Z".parse().unwrap(),
        accept_downtime: false,
        accept_unhealthy: false,
        causes: Vec::new(),
        deadline: Duration::from_hours(1),
        bridged: false,
    }
}

fn golden() -> Image {
    let tags = [
        (tags::PROVED, "boot"),
        (tags::ROLE, "golden"),
        (tags::PIPELINE, "shop"),
        (
            tags::PLATFORM,
            "arn:aws:elasticbeanstalk:eu-central-1::platform/PHP/4.3.2",
        ),
    ];
    Image {
        id: ImageId::new("ami-1"),
        name: "goldseed-shop".into(),
        state: ImageState::Available,
        architecture: "x86_64".into(),
        boot_mode: None,
        allowed: None,
        root_device: "/dev/xvda".into(),
        root_size: Some(8),
        lasting_devices: Vec::new(),
        snapshots: Vec::new(),
        created: String::new(),
        tags: tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

/// The one reason that a change of the facts brings up.
fn only_reason(change: impl FnOnce(&mut Facts)) -> String {
    let mut facts = fine();
    change(&mut facts);
    let list = refusals(&facts);
    assert_eq!(list.len(), 1, "{list:?}");
    assert!(!list[0].way_out.is_empty());
    list[0].reason.clone()
}

pub(super) fn deployed_option(facts: &mut Facts, namespace: &str, option: &str, value: &str) {
    facts.sets[0]
        .options
        .insert((namespace.to_owned(), option.to_owned()), value.to_owned());
}

#[test]
fn nothing_speaks_against_a_fine_environment_and_image() {
    assert_eq!(refusals(&fine()), []);
    assert_eq!(image_refusals("shop", &fine(), &golden()), []);
}

#[test]
fn an_environment_that_is_not_ready_or_not_well_is_refused() {
    assert_eq!(
        only_reason(|facts| facts.environment.status = "Updating".into()),
        "shop-prod is Updating, not Ready"
    );
    let sick = only_reason(|facts| facts.environment.health_status = Some("Degraded".into()));
    assert_eq!(
        sick,
        "shop-prod is unhealthy before the update: its health is Degraded"
    );
    let grey = only_reason(|facts| {
        facts.environment.health_status = None;
        facts.environment.health = "Grey".into();
    });
    assert_eq!(
        grey,
        "the health of shop-prod is not known before the update: it is Grey"
    );
}

#[test]
fn a_sick_environment_can_still_be_rolled_back() {
    let mut facts = fine();
    facts.environment.health_status = Some("Severe".into());
    assert_eq!(standing_refusals(&facts), []);
}

#[test]
fn what_would_take_the_site_down_is_refused_unless_it_is_accepted() {
    let off = only_reason(|facts| deployed_option(facts, ROLLING, "RollingUpdateEnabled", "false"));
    assert_eq!(
        off,
        "rolling updates of shop-prod are off: all instances would go at once"
    );
    let default = only_reason(|facts| facts.sets[0].options.clear());
    assert!(default.contains("are off"), "{default}");
    let timed = only_reason(|facts| deployed_option(facts, ROLLING, "RollingUpdateType", "Time"));
    assert!(timed.contains("go by `Time`"), "{timed}");
    let single = only_reason(|facts| {
        deployed_option(facts, ENVIRONMENT, "EnvironmentType", "SingleInstance");
    });
    assert!(single.contains("a single instance"), "{single}");
    let mut accepted = fine();
    deployed_option(&mut accepted, ROLLING, "RollingUpdateEnabled", "false");
    accepted.accept_downtime = true;
    assert_eq!(refusals(&accepted), []);
}

#[test]
fn a_rolling_update_that_leaves_nothing_in_service_is_an_outage() {
    let one = |facts: &mut Facts| deployed_option(facts, "aws:autoscaling:asg", "MaxSize", "1");
    assert!(only_reason(one).contains("no instance in service"));
    let at_once = only_reason(|facts| {
        deployed_option(facts, ROLLING, "MinInstancesInService", "0");
    });
    assert!(at_once.contains("no instance in service"), "{at_once}");
    let mut others = fine();
    one(&mut others);
    deployed_option(&mut others, ROLLING, "RollingUpdateType", "Immutable");
    assert_eq!(
        refusals(&others),
        [],
        "immutable updates begin with a new one"
    );
    let mut batches = fine();
    deployed_option(&mut batches, "aws:autoscaling:asg", "MinSize", "4");
    deployed_option(&mut batches, ROLLING, "MinInstancesInService", "0");
    assert_eq!(refusals(&batches), [], "the other batches stay in service");
    let mut accepted = fine();
    one(&mut accepted);
    accepted.accept_downtime = true;
    assert_eq!(refusals(&accepted), []);
}

#[test]
fn immutable_updates_want_enhanced_health_whatever_is_accepted() {
    let basic = |facts: &mut Facts| {
        facts.environment.health_status = None;
        facts.accept_downtime = true;
        deployed_option(facts, ROLLING, "RollingUpdateType", "Immutable");
    };
    assert!(only_reason(basic).contains("without enhanced health"));
}

#[test]
fn a_draft_is_refused_with_the_command_that_deletes_it() {
    let mut facts = fine();
    facts.sets.push(set("pending", &[]));
    let way_out = &refusals(&facts)[0].way_out;
    assert!(
        way_out.ends_with(
            "aws elasticbeanstalk delete-environment-configuration --application-name 'shop' \
             --environment-name 'shop-prod'"
        ),
        "{way_out}"
    );
}

#[test]
fn apache_is_refused_where_the_bridge_brings_rules_for_nginx() {
    let apache = |facts: &mut Facts| deployed_option(facts, PROXY, "ProxyServer", "apache");
    let mut own = fine();
    apache(&mut own);
    assert_eq!(refusals(&own), [], "an application that comes by itself");
    let reason = only_reason(|facts| {
        apache(facts);
        facts.bridged = true;
    });
    assert_eq!(reason, "shop-prod has Apache as its proxy");
}

#[test]
fn workers_drafts_and_leases_are_refused() {
    assert!(only_reason(|facts| facts.environment.tier = "Worker".into()).contains("worker"));
    assert!(only_reason(|facts| facts.sets.push(set("pending", &[]))).contains("pending settings"));
    let mut failed_before = fine();
    failed_before.sets.push(set("failed", &[]));
    assert_eq!(
        refusals(&failed_before),
        [],
        "what a revert leaves behind blocks the next promotion"
    );
    let held = only_reason(|facts| {
        facts.lease = Some(Lease {
            run: RunId::new("20261123-020000-0001"),
            who: "anna@laptop".into(),
            since: facts.now,
            until: facts.now + Duration::from_mins(10),
            released: false,
            writer: Writer {
                nonce: "n".into(),
                ..Writer::default()
            },
        });
    });
    assert!(
        held.starts_with("run 20261123-020000-0001 by anna@laptop holds the environment"),
        "{held}"
    );
}

#[test]
fn a_managed_update_is_refused_when_it_runs_or_is_due_before_we_would_be_done() {
    let action = |status: &str, hours: u64| ManagedAction {
        description: "platform update".into(),
        status: status.into(),
        window: Some(fine().now + Duration::from_hours(hours)),
    };
    assert!(only_reason(|facts| facts.actions.push(action("Running", 0))).contains("is Running"));
    assert!(only_reason(|facts| facts.actions.push(action("Scheduled", 1))).contains("Scheduled"));
    let mut later = fine();
    later.actions.push(action("Scheduled", 48));
    assert_eq!(refusals(&later), []);
    later.deadline = Duration::from_hours(49);
    assert_eq!(refusals(&later).len(), 1, "the watch would meet it");
    assert_eq!(
        standing_refusals(&later),
        [],
        "a rollback does not wait for it"
    );
    later.actions.push(action("Pending", 48));
    assert_eq!(standing_refusals(&later).len(), 1);
}

#[test]
fn an_image_must_be_available_proved_of_this_platform_and_fit_the_volume() {
    let reason = |change: &dyn Fn(&mut Image)| {
        let mut image = golden();
        change(&mut image);
        let list = image_refusals("shop", &fine(), &image);
        assert_eq!(list.len(), 1, "{list:?}");
        list[0].reason.clone()
    };
    assert!(reason(&|image| image.state = ImageState::Pending).contains("is pending"));
    assert!(
        reason(&|image| image.state = ImageState::Unusable("failed".into())).contains("is failed")
    );
    assert!(
        reason(&|image| drop(image.tags.insert(tags::PROVED.into(), "no".into())))
            .contains("not proved")
    );
    assert!(
        reason(&|image| drop(image.tags.insert(tags::PLATFORM.into(), "other".into())))
            .contains("was built for other")
    );
    assert!(
        reason(&|image| drop(image.tags.insert(tags::QUARANTINED.into(), "Severe".into())))
            .contains("quarantine: Severe")
    );
    assert_eq!(
        reason(&|image| image.root_size = Some(60)),
        "the root volume of shop-prod is 10 GiB, and ami-1 needs 60 GiB"
    );
}

#[test]
fn batches_that_may_outlast_the_watch_are_told() {
    let hour = Duration::from_hours(1);
    let mut facts = fine();
    assert_eq!(outage::longer_than(&facts, hour), None);
    facts.sets[0] = set(
        "deployed",
        &[
            (ROLLING, "RollingUpdateType", "Health"),
            (ROLLING, "MaxBatchSize", "1"),
            (ROLLING, "Timeout", "PT20M"),
            ("aws:autoscaling:asg", "MinSize", "4"),
        ],
    );
    let told = outage::longer_than(&facts, hour).unwrap();
    assert!(
        told.starts_with("4 batches of shop-prod with 20 minutes"),
        "{told}"
    );
    assert_eq!(outage::longer_than(&facts, hour * 2), None);
}
