use super::*;
use crate::id::InstanceId;
use proptest::prelude::*;

fn judge() -> Judge {
    Judge {
        target: ImageId::new("ami-new"),
        before: ImageId::new("ami-old"),
        version: Some("v1".into()),
        soak: 60,
        good: 3,
        of: 4,
        deadline: 600,
        early: true,
    }
}

fn member(image: &str, standing: Standing) -> Member {
    Member {
        id: InstanceId::new("i-1"),
        image: ImageId::new(image),
        standing,
        wrong_answers: None,
    }
}

fn sample(at: u64, status: &str, image: &str) -> Sample {
    Sample {
        at,
        seen: true,
        status: status.into(),
        deployed: Some(ImageId::new(image)),
        draft: None,
        version: Some("v1".into()),
        members: vec![member(image, Standing::InService); 2],
        least: 2,
        health: Health::Good("Ok".into()),
        probes: Ok(()),
    }
}

fn well(times: &[u64]) -> Vec<Sample> {
    times
        .iter()
        .map(|at| sample(*at, "Ready", "ami-new"))
        .collect()
}

#[test]
fn well_is_only_what_stays_well_through_the_soak() {
    assert!(matches!(
        judge().judge(&well(&[0, 20, 40])),
        Judgement::Waiting(_)
    ));
    assert_eq!(judge().judge(&well(&[0, 20, 40, 60])), Judgement::Well);
}

#[test]
fn ready_with_the_old_image_is_beanstalks_own_revert() {
    let mut samples = vec![sample(0, "Updating", "ami-old")];
    samples.push(sample(20, "Ready", "ami-old"));
    assert!(
        matches!(judge().judge(&samples), Judgement::Waiting(_)),
        "one read can be behind"
    );
    samples.push(sample(40, "Ready", "ami-old"));
    assert_eq!(judge().judge(&samples), Judgement::Reverted);
}

#[test]
fn ready_with_a_third_image_is_somebody_elses_release() {
    let mut samples = vec![sample(0, "Updating", "ami-old")];
    samples.extend([20, 40].map(|at| sample(at, "Ready", "ami-other")));
    let other = ImageId::new("ami-other");
    assert_eq!(judge().judge(&samples), Judgement::Replaced(other));
}

#[test]
fn an_update_that_does_not_show_yet_has_not_been_reverted() {
    let stale: Vec<Sample> = [5, 20, 65, 80, 119]
        .map(|at| sample(at, "Ready", "ami-old"))
        .into();
    assert!(matches!(judge().judge(&stale), Judgement::Waiting(_)));
    let mut after = stale.clone();
    after.push(sample(130, "Ready", "ami-old"));
    assert_eq!(judge().judge(&after), Judgement::Reverted);
    after = stale;
    after.push(sample(119, "Updating", "ami-old"));
    after.extend([140, 160].map(|at| sample(at, "Ready", "ami-old")));
    assert_eq!(judge().judge(&after), Judgement::Reverted);
}

#[test]
fn one_straggler_on_the_old_image_is_not_well() {
    let mut samples = well(&[0, 20, 40, 60]);
    for sample in &mut samples {
        sample.members = ["ami-new", "ami-old"]
            .map(|image| member(image, Standing::InService))
            .into();
    }
    let Judgement::Unwell(reason) = judge().judge(&samples) else {
        panic!("a mixed fleet is not well")
    };
    assert!(
        reason.starts_with("1 of 2 instances run another image"),
        "{reason}"
    );
}

#[test]
fn grey_is_neither_good_nor_bad_until_the_deadline() {
    let mut samples = well(&[0, 20, 40, 60, 80]);
    for sample in &mut samples {
        sample.health = Health::read("NoData", &[]);
    }
    assert!(matches!(judge().judge(&samples), Judgement::Waiting(_)));
    samples.push(Sample {
        at: 600,
        ..samples[0].clone()
    });
    assert!(matches!(judge().judge(&samples), Judgement::Unwell(_)));
}

#[test]
fn an_update_that_never_ends_is_unwell_at_the_deadline() {
    assert!(matches!(
        judge().judge(&[sample(599, "Updating", "ami-old")]),
        Judgement::Waiting(_)
    ));
    assert!(matches!(
        judge().judge(&[sample(600, "Updating", "ami-old")]),
        Judgement::Unwell(_)
    ));
}

#[test]
fn an_update_that_ends_right_before_the_deadline_has_its_soak() {
    let mut samples = vec![sample(590, "Updating", "ami-old")];
    samples.extend(well(&[605, 620, 640]));
    // Right after an update health often is grey.
    samples[1].health = Health::read("NoData", &[]);
    assert!(matches!(judge().judge(&samples), Judgement::Waiting(_)));
    samples.extend(well(&[665]));
    assert_eq!(judge().judge(&samples), Judgement::Well);
    samples[3].health = Health::read("NoData", &[]);
    assert!(matches!(judge().judge(&samples), Judgement::Unwell(_)));
}

/// A read that failed, after this sample.
fn failed(at: u64, before: &Sample) -> Sample {
    Sample {
        at,
        seen: false,
        deployed: None,
        version: None,
        members: Vec::new(),
        health: Health::Unknown("DescribeEnvironments failed".into()),
        ..before.clone()
    }
}

#[test]
fn nothing_is_judged_without_a_look_after_the_deadline() {
    let mut samples = vec![sample(580, "Updating", "ami-old")];
    for at in [600, 620, 640] {
        samples.push(failed(at, &samples[0]));
        let judgement = judge().judge(&samples);
        assert!(matches!(judgement, Judgement::Waiting(_)), "{judgement:?}");
    }
    let mut seen = samples.clone();
    seen.push(sample(660, "Updating", "ami-old"));
    assert!(matches!(judge().judge(&seen), Judgement::Unwell(_)));
    // It was well all the time.
    seen.pop();
    seen.extend(well(&[660, 680, 700, 720]));
    assert_eq!(judge().judge(&seen), Judgement::Well);
    samples.push(failed(1260, &samples[0]));
    let Judgement::Unseen(state) = judge().judge(&samples) else {
        panic!("nobody can say anything")
    };
    assert_eq!(
        state,
        "not known, Updating when it was seen last: DescribeEnvironments failed"
    );
}

#[test]
fn a_soak_that_nobody_could_read_is_not_held_against_the_image() {
    let mut samples = well(&[540]);
    samples.extend([560, 580, 600].map(|at| failed(at, &samples[0])));
    samples.extend(well(&[620]));
    assert!(matches!(judge().judge(&samples), Judgement::Waiting(_)));
    samples.extend(well(&[640, 660]));
    assert_eq!(judge().judge(&samples), Judgement::Well);
}

#[test]
fn a_read_that_failed_shows_no_second_change() {
    let mut samples = well(&[0, 20]);
    samples.push(sample(40, "Updating", "ami-new"));
    samples.push(failed(60, &samples[2]));
    assert!(matches!(judge().judge(&samples), Judgement::Waiting(_)));
}

fn any_sample() -> impl Strategy<Value = Sample> {
    (
        0_u64..700,
        any::<bool>(),
        any::<bool>(),
        0_u8..3,
        any::<bool>(),
    )
        .prop_map(|(at, ready, new, health, probes)| Sample {
            health: match health {
                0 => Health::Good("Ok".into()),
                1 => Health::Unknown("NoData".into()),
                _ => Health::Bad("Severe".into()),
            },
            probes: if probes {
                Ok(())
            } else {
                Err("home page: 500".into())
            },
            ..sample(
                at,
                if ready { "Ready" } else { "Updating" },
                if new { "ami-new" } else { "ami-old" },
            )
        })
}

fn seen(samples: &[Sample]) -> String {
    match judge().judge(samples) {
        Judgement::Disturbed(seen) => seen,
        other => panic!("somebody else is at work, and the judgement is {other:?}"),
    }
}

#[test]
fn somebody_elses_change_is_told_from_ours() {
    let mut deployed = well(&[0, 20]);
    deployed[1].version = Some("v2".into());
    assert_eq!(
        seen(&deployed),
        "the application version is v2 now and was v1"
    );

    let mut updated = well(&[0, 20]);
    updated.push(sample(40, "Updating", "ami-new"));
    assert!(
        matches!(judge().judge(&updated), Judgement::Waiting(_)),
        "one read can be behind"
    );
    updated.push(sample(60, "Updating", "ami-new"));
    assert_eq!(
        seen(&updated),
        "the environment was Ready with ami-new and is Updating again"
    );

    let mut draft = vec![
        sample(0, "Updating", "ami-old"),
        sample(20, "Updating", "ami-old"),
    ];
    for sample in &mut draft {
        sample.draft = Some(Draft {
            status: "pending".into(),
            image: Some(ImageId::new("ami-new")),
        });
    }
    assert!(
        matches!(judge().judge(&draft), Judgement::Waiting(_)),
        "it is our own"
    );
    for sample in &mut draft {
        sample.draft.as_mut().unwrap().image = Some(ImageId::new("ami-other"));
    }
    assert_eq!(seen(&draft), "an update to ami-other is pending");
}

fn rank(judgement: &Judgement) -> u8 {
    match judgement {
        Judgement::Unwell(_)
        | Judgement::Reverted
        | Judgement::Replaced(_)
        | Judgement::Disturbed(_) => 0,
        Judgement::Waiting(_) | Judgement::Unseen(_) => 1,
        Judgement::Well => 2,
    }
}

proptest! {
    #[test]
    fn a_red_sample_never_improves_the_judgement(
        mut samples in proptest::collection::vec(any_sample(), 1..12), at in any::<prop::sample::Index>(),
    ) {
        samples.sort_by_key(|sample| sample.at);
        let before = rank(&judge().judge(&samples));
        let at = at.index(samples.len());
        samples[at].health = Health::Bad("Severe".into());
        let after = rank(&judge().judge(&samples));
        prop_assert!(after <= before);
    }
}

#[test]
fn a_pending_instance_is_not_in_service() {
    let mut samples = well(&[0, 20, 40, 60, 80]);
    for sample in &mut samples {
        let pending = Standing::read("Pending", &["Initialization in progress.".into()], None);
        sample.members[1].standing = pending;
    }
    let Judgement::Waiting(state) = judge().judge(&samples) else {
        panic!("it is neither good nor bad")
    };
    assert!(
        state.starts_with("1 of 2 instances in service: i-1 is Pending: Initialization"),
        "{state}"
    );
    samples.push(Sample {
        at: 600,
        ..samples[0].clone()
    });
    assert!(matches!(judge().judge(&samples), Judgement::Unwell(_)));
}

#[test]
fn an_ill_instance_is_not_in_service_whatever_health_says() {
    let mut samples = well(&[0, 20, 40, 60]);
    for sample in &mut samples {
        let causes = ["ELB health is failing".to_owned()];
        sample.members[1].standing = Standing::read("Severe", &causes, Some("Deployed"));
    }
    let Judgement::Unwell(reason) = judge().judge(&samples) else {
        panic!("one of two does not serve")
    };
    assert!(
        reason
            .starts_with("1 instances in service, 2 wanted: i-1 is Severe: ELB health is failing"),
        "{reason}"
    );
}

#[test]
fn one_pending_instance_at_the_deadline_does_not_end_a_good_soak() {
    let mut samples = well(&[540, 555, 570, 585, 600]);
    let last = &mut samples[4];
    last.members
        .push(member("ami-new", Standing::Coming("Pending".into())));
    assert!(matches!(judge().judge(&samples), Judgement::Waiting(_)));
    samples.extend(well(&[615]));
    assert_eq!(judge().judge(&samples), Judgement::Well);
}

/// An update of ours under way: one new instance of this standing, and one old one that serves.
fn updating(at: u64, new: Standing) -> Sample {
    Sample {
        draft: Some(Draft {
            status: "pending".into(),
            image: Some(ImageId::new("ami-new")),
        }),
        members: vec![
            member("ami-new", new),
            member("ami-old", Standing::InService),
        ],
        health: Health::Good("Info".into()),
        ..sample(at, "Updating", "ami-old")
    }
}

fn blank(at: u64) -> Sample {
    Sample {
        probes: Err("http://site/ answers 200 without `Shop` in it".into()),
        ..updating(at, Standing::InService)
    }
}

fn waits(judge: &Judge, samples: &[Sample]) -> String {
    match judge.judge(samples) {
        Judgement::Waiting(state) => state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_first_batch_that_answers_wrongly_three_times_in_a_row_ends_the_update() {
    let mut samples = vec![updating(0, Standing::Coming("Pending".into()))];
    samples.extend([15, 30].map(blank));
    let state = waits(&judge(), &samples);
    assert_eq!(
        state,
        "Updating, 2 instances in service, 1 of them on ami-new, health Info; http://site/ answers 200 without `Shop` in it"
    );
    samples.push(blank(45));
    let wanted = "http://site/ answers 200 without `Shop` in it, 3 times in a row";
    assert_eq!(judge().judge(&samples), Judgement::Unwell(wanted.into()));
    // A poll that failed in between says nothing.
    samples.insert(3, failed(40, &samples[2]));
    assert_eq!(judge().judge(&samples), Judgement::Unwell(wanted.into()));
    // Where nothing would be taken back, the update is left to Beanstalk.
    let late = Judge {
        early: false,
        ..judge()
    };
    waits(&late, &samples);
}

#[test]
fn one_odd_answer_does_not_end_the_update() {
    let mut samples: Vec<Sample> = Vec::new();
    for at in (0..540).step_by(45) {
        samples.extend([blank(at), blank(at + 15)]);
        samples.push(updating(at + 30, Standing::InService));
        waits(&judge(), &samples);
    }
}

#[test]
fn errors_that_visitors_get_from_a_new_instance_end_the_update() {
    let mut samples: Vec<Sample> = [0, 15, 30]
        .map(|at| updating(at, Standing::InService))
        .into();
    for sample in &mut samples {
        sample.members[0].wrong_answers = wrong_answers(10, 6);
    }
    let wanted = "i-1 of ami-new answers 5xx to 6 of 10 requests, 3 times in a row";
    assert_eq!(judge().judge(&samples), Judgement::Unwell(wanted.into()));
    // The old ones answer so as well: it is not the image.
    for sample in &mut samples {
        sample.members[1].wrong_answers = wrong_answers(10, 6);
    }
    waits(&judge(), &samples);
    assert_eq!(wrong_answers(2, 2), None, "too few to tell");
    assert_eq!(wrong_answers(100, 10), None);
}

#[test]
fn a_new_instance_may_be_ill_while_it_starts_and_not_for_minutes() {
    let ill = || Standing::read("Severe", &["ELB health is failing".to_owned()], None);
    let mut samples: Vec<Sample> = (0..180).step_by(15).map(|at| updating(at, ill())).collect();
    waits(&judge(), &samples);
    samples.push(updating(180, ill()));
    let wanted = "i-1 of ami-new is Severe: ELB health is failing, for 180 s by now";
    assert_eq!(judge().judge(&samples), Judgement::Unwell(wanted.into()));
    // An old one is ill as well.
    for sample in &mut samples {
        sample.members[1].standing = ill();
    }
    waits(&judge(), &samples);
}

#[test]
fn what_failed_while_old_instances_served_alone_says_nothing_of_the_new_ones() {
    let mut samples = Vec::new();
    for at in [0, 15] {
        let alone = Standing::Coming("Pending".into());
        samples.push(Sample {
            probes: Err("http://site/: timed out".into()),
            ..updating(at, alone)
        });
    }
    samples.extend([30, 45, 60, 75].map(blank));
    waits(&judge(), &samples);
}

#[test]
fn somebody_elses_update_is_not_ended() {
    let mut samples: Vec<Sample> = [0, 15, 30, 45].map(blank).into();
    for sample in &mut samples {
        sample.draft = None;
    }
    waits(&judge(), &samples);
}
