//! Records of earlier versions, gone on with by this one.
//!
//! `corpus/VERSION.json` holds the settings of a project and, for each moment at which a run of it was killed, the page of
//! its record as that version wrote it. What only names things of one account (ids, times) is taken from a run of this
//! version that is killed at the same moment; which fields there are, and the digests of the plan, are the corpus's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::unsent::killed;
use super::world::World;

/// A folder of the repository.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/corpus");

/// The sections of a plan that are digests of settings; the others are those of scripts, which a version may change.
const OF_SETTINGS: [&str; 3] = ["source", "seed", "promotion"];

/// What a version wrote.
#[derive(Serialize, Deserialize)]
struct Corpus {
    settings: String,
    /// The pages by the request at which the run was killed.
    pages: BTreeMap<String, Value>,
}

/// The moments: while the image is built, and after its promotion was announced.
const MOMENTS: [&str; 3] = ["RunInstances", "CreateImage", "UpdateEnvironment"];

/// A world with these settings in which a rebuild was killed at this request, and the name and text of its page.
fn killed_at(settings: &str, moment: &'static str) -> (World, String, Value) {
    let world = World::new();
    world.write("goldseed.yaml", settings);
    killed(&world, ["rebuild", "shop"], move |request| {
        request.operation == moment && request.parameters["DryRun"] != "true"
    });
    let parameters = world.parameters();
    let (name, versions) = parameters
        .iter()
        .rfind(|(name, _)| name.contains("/runs/"))
        .unwrap();
    let page = serde_json::from_str(versions.last().unwrap()).unwrap();
    let name = name.clone();
    (world, name, page)
}

/// Takes away what the earlier version did not write.
fn reduce(page: &mut Value, earlier: &Value) {
    match (page, earlier) {
        (Value::Object(page), Value::Object(earlier)) => {
            page.retain(|key, _| earlier.contains_key(key));
            for (key, value) in page {
                reduce(value, &earlier[key]);
            }
        }
        (Value::Array(page), Value::Array(earlier)) => {
            for value in page {
                let same = earlier.iter().find(|one| one["s"] == value["s"]);
                if let Some(same) = same.or(earlier.first()) {
                    reduce(value, same);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn records_of_every_version_before_are_gone_on_with() {
    let mut read = 0;
    for entry in fs_err::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        let corpus: Corpus = serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
        for moment in MOMENTS {
            let earlier = &corpus.pages[moment];
            let (world, name, mut page) = killed_at(&corpus.settings, moment);
            reduce(&mut page, earlier);
            for section in OF_SETTINGS {
                page["plan"][section] = earlier["plan"][section].clone();
            }
            let call = world
                .ssm()
                .put_parameter()
                .name(&name)
                .value(page.to_string())
                .overwrite(true);
            world.wait_for(call.send()).unwrap();
            let run = page["run"].as_str().unwrap();
            let resumed = world.run(["resume", run, "--yes"]);
            assert_eq!(
                resumed.code,
                Some(0),
                "{} at {moment}: {resumed}",
                path.display()
            );
            read += 1;
        }
    }
    assert!(read >= MOMENTS.len());
}

/// The settings of the corpus: every key that a plan is made of.
const SETTINGS: &str = r#"goldseed: 1
account: "123456789012"
region: eu-central-1
tags: {team: web, cost-centre: "4711"}
pipelines:
  shop:
    environment: shop-prod
    application: shop
    source: platform
    seed: {instance-profile: goldseed-seed, instance-type: t3.small, volume-size: 20}
    recipes:
      - greeting: {text: Hello}
    watch: {soak: 1m, good: 3, of: 4, deadline: 12h}
"#;

#[test]
#[ignore = "writes the corpus of this version: run it once before a release, and commit the file"]
fn write_the_corpus_of_this_version() {
    let pages = MOMENTS.map(|moment| (moment.to_owned(), killed_at(SETTINGS, moment).2));
    let corpus = Corpus {
        settings: SETTINGS.to_owned(),
        pages: pages.into(),
    };
    let path = format!("{FOLDER}/{}.json", env!("CARGO_PKG_VERSION"));
    let text = serde_json::to_string_pretty(&corpus).unwrap();
    fs_err::write(path, text + "\n").unwrap();
}
