//! Every rule of what sweep may remove.

use super::*;
use crate::cloud::ImageState;
use crate::id::InstanceId;

const RUN: &str = "20261120-030000-0001";
const NOW: &str = "2026-11-23T12:00:00Z";

fn tagged(role: &str, more: &[(&str, &str)]) -> Tags {
    let mut list = Tags::from([
        (tags::PIPELINE.to_owned(), "shop".to_owned()),
        (tags::RUN.to_owned(), RUN.to_owned()),
        (tags::ROLE.to_owned(), role.to_owned()),
    ]);
    if role != "golden" {
        list.insert(tags::EXPIRES.to_owned(), "2026-11-21T03:00:00Z".to_owned());
    }
    for (key, value) in more {
        list.insert((*key).to_owned(), (*value).to_owned());
    }
    list
}

fn instance(role: &str, more: &[(&str, &str)]) -> Instance {
    Instance {
        id: InstanceId::new(format!("i-{role}")),
        state: InstanceState::Running,
        state_reason: None,
        image: ImageId::new("ami-raw"),
        instance_type: "t3.small".into(),
        architecture: "x86_64".into(),
        subnet: None,
        security_groups: Vec::new(),
        spot: false,
        launched: "2026-11-20T03:10:00Z".parse().unwrap(),
        root_device: None,
        devices: Vec::new(),
        tags: tagged(role, more),
    }
}

fn image(role: &str, more: &[(&str, &str)]) -> Image {
    Image {
        id: ImageId::new(format!("ami-{role}")),
        name: format!("goldseed-shop-{RUN}-{role}-a1"),
        state: ImageState::Available,
        architecture: "x86_64".into(),
        boot_mode: None,
        allowed: None,
        root_device: "/dev/xvda".into(),
        root_size: Some(10),
        lasting_devices: Vec::new(),
        snapshots: vec![SnapshotId::new(format!("snap-{role}"))],
        created: "2026-11-20T03:05:00.000Z".into(),
        tags: tagged(role, more),
    }
}

fn snapshot(role: &str) -> Snapshot {
    Snapshot {
        id: SnapshotId::new(format!("snap-{role}")),
        started: "2026-11-20T03:05:00Z".parse().unwrap(),
        size: 10,
        tags: tagged(role, &[(tags::PROVED, "no")]),
    }
}

/// Nothing exists, and the run has ended.
fn facts() -> Facts {
    Facts {
        now: NOW.parse().unwrap(),
        others: Vec::new(),
        runs: BTreeMap::from([(RunId::new(RUN), RunState::Ended(Verdict::Done))]),
        instances: Vec::new(),
        images: Vec::new(),
        snapshots: Vec::new(),
        in_use: InUse::new(),
    }
}

fn chosen(facts: &Facts) -> Vec<String> {
    let chosen = choose(facts).leftovers;
    chosen.iter().map(|one| one.what.id().to_owned()).collect()
}

#[test]
fn what_a_dead_run_left_goes_machines_first() {
    let facts = Facts {
        instances: vec![instance("seed", &[]), instance("proof", &[])],
        images: vec![image("raw", &[]), image("golden", &[(tags::PROVED, "no")])],
        snapshots: vec![snapshot("raw"), snapshot("golden")],
        ..facts()
    };
    // The snapshots go with their images.
    assert_eq!(
        chosen(&facts),
        ["i-seed", "i-proof", "ami-raw", "ami-golden"]
    );
    let all = choose(&facts).leftovers;
    assert_eq!(all[0].why, "its run has ended: done");
    assert_eq!(all[0].label, "seed (running)");
    assert_eq!(all[0].run, Some(RunId::new(RUN)));
    assert!((all[0].monthly.unwrap() - 15.984).abs() < 0.01);
    assert!((all[2].monthly.unwrap() - 0.5).abs() < 0.01);
}

#[test]
fn a_snapshot_whose_image_is_gone_is_found_by_its_own_tags() {
    let facts = Facts {
        snapshots: vec![snapshot("raw"), snapshot("golden")],
        ..facts()
    };
    assert_eq!(chosen(&facts), ["snap-raw", "snap-golden"]);
}

#[test]
fn nothing_of_a_run_that_somebody_may_be_at_goes() {
    let everything = |state: Option<RunState>| Facts {
        runs: state
            .map(|state| (RunId::new(RUN), state))
            .into_iter()
            .collect(),
        instances: vec![instance("seed", &[])],
        images: vec![image("raw", &[])],
        snapshots: vec![snapshot("raw"), snapshot("golden")],
        ..facts()
    };
    assert!(chosen(&everything(Some(RunState::Live))).is_empty());
    assert!(chosen(&everything(Some(RunState::Unreadable))).is_empty());
    assert_eq!(chosen(&everything(Some(RunState::Left))).len(), 3);
    assert_eq!(chosen(&everything(None)).len(), 3, "a run without a record");
}

#[test]
fn nothing_goes_before_it_expires_or_without_a_date() {
    for expires in ["2026-11-23T12:00:01Z", "soon"] {
        let later = [(tags::EXPIRES, expires)];
        let facts = Facts {
            instances: vec![instance("seed", &later)],
            images: vec![image("raw", &later)],
            ..facts()
        };
        assert!(chosen(&facts).is_empty(), "{expires}");
    }
    // A golden image has no such tag: a day after its run began.
    let young = [(tags::RUN, "20261123-030000-0002"), (tags::PROVED, "no")];
    let undated = [(tags::RUN, "another"), (tags::PROVED, "no")];
    let facts = Facts {
        images: vec![image("golden", &young), image("golden", &undated)],
        ..facts()
    };
    assert!(chosen(&facts).is_empty());
}

#[test]
fn a_golden_image_that_was_proved_or_is_in_quarantine_stays() {
    for more in [
        &[(tags::PROVED, "boot")][..],
        &[(tags::PROVED, "no"), (tags::QUARANTINED, "ill")],
        &[],
    ] {
        let facts = Facts {
            images: vec![image("golden", more)],
            snapshots: vec![snapshot("golden")],
            ..facts()
        };
        assert!(chosen(&facts).is_empty(), "{more:?}");
    }
}

#[test]
fn what_is_in_use_stays() {
    let unproved = image("golden", &[(tags::PROVED, "no")]);
    let facts = Facts {
        images: vec![image("raw", &[]), unproved],
        snapshots: vec![snapshot("raw"), snapshot("golden")],
        in_use: InUse::from([(ImageId::new("ami-golden"), "the ledger".to_owned())]),
        ..facts()
    };
    assert_eq!(chosen(&facts), ["ami-raw"]);
}

#[test]
fn what_somebody_keeps_stays_with_what_it_was_started_from() {
    let facts = Facts {
        instances: vec![instance("seed", &[(tags::KEEP, "yes")])],
        images: vec![image("raw", &[])],
        snapshots: vec![snapshot("raw")],
        ..facts()
    };
    assert!(chosen(&facts).is_empty());
}

#[test]
fn an_image_stays_with_a_snapshot_that_must_not_go() {
    for (tag, value, why) in [
        (Some(tags::KEEP), "yes", "carries goldseed:keep"),
        (
            Some(tags::ROLE),
            "backup",
            "has no role that this version knows",
        ),
        (None, "", "does not carry this tool's tags"),
    ] {
        let mut of_raw = snapshot("raw");
        if let Some(key) = tag {
            of_raw.tags.insert(key.to_owned(), value.to_owned());
        }
        let facts = Facts {
            images: vec![image("raw", &[])],
            // Of one without our tags nobody tells.
            snapshots: tag.map(|_| of_raw).into_iter().collect(),
            ..facts()
        };
        let found = choose(&facts);
        assert_eq!(found.leftovers, [], "{why}");
        let expected = Stays {
            id: "ami-raw".into(),
            why: format!("the raw image stays: its snapshot snap-raw {why}"),
        };
        assert_eq!(found.stays, [expected]);
    }
}

#[test]
fn what_has_lost_its_date_stays() {
    let mut seed = instance("seed", &[]);
    seed.tags.remove(tags::EXPIRES);
    let facts = Facts {
        instances: vec![seed],
        ..facts()
    };
    assert!(chosen(&facts).is_empty());
}

#[test]
fn what_is_not_ours_stays() {
    let without = |key: &str| {
        let mut seed = instance("seed", &[]);
        seed.tags.remove(key);
        seed
    };
    let mut untagged = image("raw", &[]);
    untagged.tags.clear();
    let facts = Facts {
        instances: vec![
            without(tags::RUN),
            without(tags::ROLE),
            without(tags::PIPELINE),
            instance("rehearsal", &[]),
            instance("seed", &[(tags::MEMBER_OF, "shop-prod")]),
            instance("seed", &[(tags::GROUP, "awseb-e-1")]),
        ],
        images: vec![untagged, image("new-role", &[])],
        ..facts()
    };
    assert!(chosen(&facts).is_empty());
}

#[test]
fn a_run_is_left_when_nobody_wrote_its_record_for_a_day_and_it_holds_no_lease() {
    let now: Timestamp = NOW.parse().unwrap();
    let kept = |verdict: &str, written: Option<&str>| {
        let value = format!(
            r#"{{"f":1,"tool":"0","run":"{RUN}","pipeline":"shop","verb":"build","env":"e","at":0,"who":"a@b",
            "plan":{{}},"steps":[]{verdict},"w":{{"n":"x","q":0}}}}"#
        );
        let parameter = crate::cloud::Parameter {
            name: format!("/goldseed/shop/runs/{RUN}/1"),
            value,
            version: 1,
            modified: written.map(|text| text.parse().unwrap()),
        };
        crate::run::kept_in(&[parameter]).remove(0)
    };
    let nobody = BTreeSet::new();
    let holds = BTreeSet::from([RunId::new(RUN)]);
    let old = Some("2026-11-22T11:00:00Z");
    let done = r#","verdict":"done""#;
    for (kept, holds, expected) in [
        (kept("", old), &nobody, RunState::Left),
        (kept("", old), &holds, RunState::Live),
        (
            kept("", Some("2026-11-22T13:00:00Z")),
            &nobody,
            RunState::Live,
        ),
        (kept("", None), &nobody, RunState::Live),
        (kept(done, old), &nobody, RunState::Ended(Verdict::Done)),
        (
            kept(r#","verdict":"unheard-of""#, old),
            &nobody,
            RunState::Unreadable,
        ),
    ] {
        assert_eq!(state_of(&kept, holds, now), expected, "{kept:?}");
    }
}
