//! The record of a run, cut off or damaged anywhere: it opens as what was written last, or says what is wrong with it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use goldseed::cloud::{Cloud, Connection, LocalAws, Tags};
use goldseed::event::Emitter;
use goldseed::id::RunId;
use goldseed::record::RunRecord;
use goldseed::run::{Run, StoreError, latest, runs};
use goldseed::sandbox::{Fate, Options, Sandbox};
use proptest::prelude::*;

use super::world::World;

/// One writing of a page: its name and its text.
type Writing = (String, String);

/// What is wrong with the pages.
#[derive(Clone, Debug)]
enum Damage {
    Nothing,
    /// A page is not there.
    Missing(usize),
    /// A page is as it was when it was written first.
    Stale(usize),
    /// A page ends after so many bytes.
    Cut(usize, usize),
}

/// All writings of a run's record, in their order: of a rebuild that was killed twice and went on.
fn history() -> &'static [Writing] {
    static HISTORY: OnceLock<Vec<Writing>> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let world = World::new();
        let mut arguments = vec!["rebuild".to_owned(), "shop".to_owned()];
        for at in ["RunInstances", "UpdateEnvironment"] {
            let pid: Arc<OnceLock<u32>> = Arc::default();
            world.signal_at(&pid, "KILL", Fate::LoseAnswer, move |request| {
                request.operation == at && request.parameters["DryRun"] != "true"
            });
            let words: [&str; 2] = [&arguments[0], &arguments[1]];
            assert_eq!(world.goldseed(words).run_as(&pid).code, None);
            world.sandbox.set_hook(None);
            let parameters = world.parameters();
            let page = parameters.keys().find(|name| name.contains("/runs/"));
            let run = page.unwrap().rsplit('/').nth(1).unwrap();
            arguments = vec!["resume".to_owned(), run.to_owned()];
        }
        world.succeed([arguments[0].as_str(), arguments[1].as_str()]);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        world
            .sandbox
            .requests()
            .iter()
            .filter(|one| one.operation == "PutParameter" && one.status == Some(200))
            .map(|one| {
                (
                    text(&one.parameters["Name"]),
                    text(&one.parameters["Value"]),
                )
            })
            .filter(|(name, _)| name.contains("/runs/"))
            .collect()
    })
}

/// The pages as they are after so many writings, each with its first and its last text.
fn pages(count: usize) -> Vec<(String, String, String)> {
    let mut pages: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for (name, text) in &history()[..count] {
        pages
            .entry(name)
            .and_modify(|page| page.1 = text)
            .or_insert((text, text));
    }
    pages
        .into_iter()
        .map(|(name, (first, last))| (name.to_owned(), first.to_owned(), last.to_owned()))
        .collect()
}

/// Opens a record of such pages as a process does that goes on with the run.
fn open(pages: &[Writing], run: &RunId) -> (Result<RunRecord, StoreError>, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(Options::simulated(folder.path()));
        let sandbox = sandbox.await.unwrap();
        let connection = Connection {
            region: Some("eu-central-1".to_owned()),
            local: Some(LocalAws {
                endpoint: sandbox.endpoint(),
                access_key: sandbox.access_key(),
            }),
            ..Connection::default()
        };
        let cloud = Cloud::connect(connection, Emitter::silent()).await.unwrap();
        for (name, text) in pages {
            let tags = Tags::new();
            let put = cloud.create_parameter(name, text, "", &tags);
            put.await.unwrap();
        }
        let listed = runs(&cloud, "shop").await.unwrap().len();
        let opened = Run::resume(&cloud, "shop", run, "eve@two").await;
        let opened = match opened {
            // What has ended is not gone on with, but read.
            Err(StoreError::Ended { .. }) => latest(&cloud, "shop", run).await,
            other => other.map(|run| run.record().clone()),
        };
        (opened, listed)
    })
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Nothing),
        (0_usize..4).prop_map(Damage::Missing),
        (0_usize..4).prop_map(Damage::Stale),
        (0_usize..4, 0_usize..4096).prop_map(|(page, bytes)| Damage::Cut(page, bytes)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_prefix_with_any_damage_opens_or_says_what_is_wrong(
        part in 0.0..=1.0_f64,
        damage in damage(),
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and its length")]
        #[expect(clippy::cast_precision_loss, reason = "a history has some dozen writings")]
        let count = (part * history().len() as f64).round() as usize;
        let run = RunId::new(history()[0].0.rsplit('/').nth(1).unwrap());
        let mut list = pages(count);
        let at = |page: usize, list: &[(String, String, String)]| page.checked_rem(list.len());
        match damage {
            Damage::Nothing => {}
            Damage::Missing(page) => {
                if let Some(page) = at(page, &list) {
                    list.remove(page);
                }
            }
            Damage::Stale(page) => {
                if let Some(page) = at(page, &list) {
                    list[page].2 = list[page].1.clone();
                }
            }
            Damage::Cut(page, bytes) => {
                if let Some(page) = at(page, &list) {
                    let text = &mut list[page].2;
                    // Parameter Store has no empty values.
                    text.truncate(bytes.clamp(1, text.len() - 1));
                }
            }
        }
        let list: Vec<Writing> = list.into_iter().map(|(name, _, text)| (name, text)).collect();
        let (opened, listed) = open(&list, &run);
        prop_assert_eq!(listed, usize::from(!list.is_empty()));
        let Some((name, text)) = list.last() else {
            let unknown = matches!(&opened, Err(StoreError::Unknown { run: named, .. }) if *named == run);
            prop_assert!(unknown, "{:?}", opened);
            return Ok(());
        };
        if let Ok(written) = serde_json::from_str::<RunRecord>(text) {
            let record = opened.unwrap();
            prop_assert_eq!(record.steps, written.steps);
            prop_assert_eq!(record.plan, written.plan);
            prop_assert_eq!(record.verdict, written.verdict);
        } else {
            let error = opened.unwrap_err();
            prop_assert_eq!(error.run(), Some(run.as_str()));
            prop_assert!(error.to_string().contains(name.as_str()), "{}", error);
        }
    }
}
