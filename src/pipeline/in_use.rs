//! Which images are in use: what nothing of this tool may remove, whoever made it.

use std::collections::BTreeMap;

use super::PipelineError;
use crate::cloud::{Cloud, Instance, Parameter, tags};
use crate::id::{ImageId, RunId};
use crate::record::RunRecord;
use crate::run::{self, Kept, Ledger};

/// Images that something needs, and what that is, for people.
pub(super) type InUse = BTreeMap<ImageId, String>;

/// Returns the images that the ledgers of these pipelines name, the settings of any environment, deployed or not,
/// launch templates, or instances that are not this tool's own.
pub(super) async fn images(
    cloud: &Cloud,
    pipelines: &[String],
    instances: &[Instance],
) -> Result<InUse, PipelineError> {
    let mut found = InUse::new();
    for instance in instances {
        if !is_ours(instance) {
            let what = format!("instance {} runs it", instance.id);
            found.insert(instance.image.clone(), what);
        }
    }
    for (template, image) in cloud.launch_template_images().await? {
        found.insert(image, format!("launch template {template} names it"));
    }
    for pipeline in pipelines {
        for image in Ledger::images(cloud, pipeline).await? {
            found.insert(image, format!("the ledger of `{pipeline}` names it"));
        }
    }
    for environment in cloud.environments().await? {
        if environment.is_gone() {
            continue;
        }
        for set in cloud.configuration_sets(&environment).await? {
            if let Some(image) = set.image() {
                let what = format!("the settings of {} name it", environment.name);
                found.insert(image, what);
            }
        }
    }
    Ok(found)
}

/// Returns the images that anything beside a run needs: as [`images`], by the ledgers of all pipelines there are, and
/// those that another run names which is unfinished, or whose record this version cannot read.
pub(super) async fn beside(cloud: &Cloud, run: &RunId) -> Result<Needed, PipelineError> {
    let all = cloud.parameters_below(ROOT).await?;
    let ledgers = ledgers_in(&all);
    let instances = cloud.living_instances().await?;
    let others = run::kept_in(&all).into_iter().filter(|kept| {
        let unfinished = |record: &RunRecord| record.verdict.is_none();
        kept.run != *run && kept.record.as_ref().map_or(true, unfinished)
    });
    let text = |kept: &Kept| {
        let page = kept.pages.first()?;
        let page = all.iter().find(|one| one.name == *page)?;
        Some((kept.run.clone(), page.value.clone()))
    };
    Ok(Needed {
        in_use: images(cloud, &ledgers, &instances).await?,
        runs: others.filter_map(|kept| text(&kept)).collect(),
    })
}

/// What needs images beside a run.
#[derive(Clone, Debug)]
pub(super) struct Needed {
    in_use: InUse,
    /// Other runs that may go on, with their records.
    runs: Vec<(RunId, String)>,
}

impl Needed {
    /// What needs an image, for people; none: nothing does.
    pub(super) fn by(&self, image: &ImageId) -> Option<String> {
        let named = || {
            let mut runs = self.runs.iter();
            let (run, _) = runs.find(|(_, record)| record.contains(image.as_str()))?;
            Some(format!("run {run}, which is unfinished, names it"))
        };
        self.in_use.get(image).cloned().or_else(named)
    }
}

/// Everything of this tool in Parameter Store lies below.
pub(super) const ROOT: &str = "/goldseed";

/// The pipelines whose ledgers are among these parameters.
pub(super) fn ledgers_in(parameters: &[Parameter]) -> Vec<String> {
    let ledgers = parameters.iter().filter_map(|parameter| {
        let rest = parameter.name.strip_prefix("/goldseed/")?;
        let pipeline = rest.strip_suffix("/image")?;
        (!pipeline.contains('/')).then(|| pipeline.to_owned())
    });
    ledgers.collect()
}

/// Whether a machine is one that a run launched for itself. A member of a group is somebody's, whatever its tags say.
pub(super) fn is_ours(instance: &Instance) -> bool {
    let tags = &instance.tags;
    tags.contains_key(tags::RUN)
        && tags.contains_key(tags::ROLE)
        && !tags.contains_key(tags::GROUP)
        && !tags.contains_key(tags::MEMBER_OF)
}
