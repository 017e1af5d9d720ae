//! Which image is promoted, and what speaks against it.

use super::trial::{self, Trial};
use super::{Facts, LAUNCH, Refusal, Warnings, root};
use crate::cloud::{Environment, ErrorKind, Image, ImageState, Tags, tags};
use crate::pipeline::{Context, PipelineError, Wish, belonging, migrate, quarantine};

/// Chooses the image: the one that was named, else the newest proved one of the pipeline that was built for this
/// environment.
pub(super) async fn choose(
    context: &Context<'_>,
    environment: &Environment,
    wish: &Wish,
) -> Result<Result<Image, Refusal>, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    if let Some(id) = &wish.image {
        return match cloud.image(id).await {
            Ok(image) => Ok(Ok(image)),
            Err(error) if error.kind == ErrorKind::NotFound || error.kind == ErrorKind::Refused => {
                let reason = format!("{id} is not an image that can be used: {}", error.message);
                Ok(Err(Refusal::new(
                    reason,
                    "look at `goldseed status` for the images there are",
                )))
            }
            Err(error) => Err(error.into()),
        };
    }
    let wanted = Tags::from([
        (tags::PIPELINE.to_owned(), plan.pipeline.clone()),
        (tags::ROLE.to_owned(), "golden".to_owned()),
        (tags::PROVED.to_owned(), "boot".to_owned()),
    ]);
    let all = cloud.images_tagged(&wanted).await?;
    let consent = wish.from_environment.as_deref();
    let (golden, others): (Vec<Image>, Vec<Image>) = all
        .into_iter()
        .partition(|image| belonging::is_listed(&image.tags, environment, consent));
    // With an image in quarantine all of the same recipes are, unless a person chooses one by its id.
    let sick: Vec<&String> = golden
        .iter()
        .filter(|image| image.tags.contains_key(tags::QUARANTINED))
        .filter_map(|image| image.tags.get(tags::RECIPES))
        .collect();
    let newest = golden
        .iter()
        .filter(|image| image.state == ImageState::Available)
        .filter(|image| {
            image
                .tags
                .get(tags::RECIPES)
                .is_none_or(|digest| !sick.contains(&digest))
        })
        .max_by(|one, other| one.created.cmp(&other.created))
        .cloned();
    Ok(newest.ok_or_else(|| {
        let pipeline = &plan.pipeline;
        let whose = consent.unwrap_or(&environment.name);
        let elsewhere = belonging::names(&others, environment);
        let elsewhere = if elsewhere.is_empty() {
            String::new()
        } else {
            format!("; those of {} are not taken for it", elsewhere.join(", "))
        };
        Refusal::new(
            format!(
                "pipeline `{pipeline}` has no golden image for {whose} that is proved{elsewhere}"
            ),
            format!("make one with `goldseed build {pipeline}`"),
        )
    }))
}

/// What speaks against an image.
pub(super) async fn against(
    context: &Context<'_>,
    facts: &Facts,
    golden: &Image,
    wish: &Wish,
    warnings: Warnings,
) -> Result<Vec<Refusal>, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let mut list = image_refusals(&plan.pipeline, facts, golden);
    if is_golden(&plan.pipeline, golden) {
        list.extend(belonging::refusal(
            (&golden.id, &golden.tags),
            &facts.environment,
            wish.from_environment.as_deref(),
            &format!("goldseed promote {} --image {}", plan.pipeline, golden.id),
        ));
    }
    if wish.built_now
        && let Some(refusal) = quarantine::same_recipes(context, &facts.environment).await?
    {
        list.push(refusal);
    }
    list.extend(root::of_image(plan, facts, golden));
    list.extend(migrate::refusals(
        plan.migration.as_ref(),
        plan.recipes_digest().as_str(),
        golden,
        wish.accept.downtime,
    ));
    // What is not available is refused for that already.
    if golden.state == ImageState::Available {
        let trial = trial::of(context, facts, golden).await?;
        if let (Warnings::Shown, Some(warning)) = (warnings, trial.warning(facts, golden)) {
            cloud.events().warn(warning);
        }
        if let Trial::Unfit { reason, way_out } = trial {
            list.push(Refusal::new(format!("{} {reason}", golden.id), way_out));
        }
    }
    Ok(list)
}

/// Whether an image is a golden image of a pipeline.
fn is_golden(pipeline: &str, image: &Image) -> bool {
    let tag = |key: &str| image.tags.get(key).map(String::as_str);
    tag(tags::ROLE) == Some("golden") && tag(tags::PIPELINE) == Some(pipeline)
}

/// What speaks against an image, from what is known of it.
pub(super) fn image_refusals(pipeline: &str, facts: &Facts, golden: &Image) -> Vec<Refusal> {
    let mut list = Vec::new();
    let id = &golden.id;
    if let Some((state, way_out)) = match &golden.state {
        ImageState::Available => None,
        ImageState::Pending => Some(("pending", "wait until it is available, or build another")),
        ImageState::Unusable(state) => Some((state.as_str(), "build another")),
    } {
        list.push(Refusal::new(
            format!("{id} is {state}, not available"),
            way_out,
        ));
    }
    let tag = |key: &str| golden.tags.get(key).map(String::as_str);
    if !is_golden(pipeline, golden) {
        list.push(Refusal::new(
            format!("{id} is not a golden image of pipeline `{pipeline}`"),
            "promote only what this pipeline has built",
        ));
    }
    if tag(tags::PROVED) != Some("boot") {
        let way_out = "promote only what `goldseed build` has proved";
        list.push(Refusal::new(
            format!("{id} is not proved: no machine of it was booted and checked"),
            way_out,
        ));
    }
    if let Some(reason) = tag(tags::QUARANTINED) {
        let way_out = "build another; if you know better, remove the tag goldseed:quarantined";
        list.push(Refusal::new(
            format!("{id} is in quarantine: {reason}"),
            way_out,
        ));
    }
    match tag(tags::PLATFORM) {
        Some(platform) if platform != facts.environment.platform => list.push(Refusal::new(
            format!(
                "{id} was built for {platform}, and {} runs {}",
                facts.environment.name, facts.environment.platform
            ),
            "build a new image: its libraries and Beanstalk's engine must be of one version",
        )),
        _ => {}
    }
    let size = facts
        .option(LAUNCH, "RootVolumeSize")
        .and_then(|text| text.parse::<i32>().ok());
    if let (Some(size), Some(needed)) = (size, golden.root_size)
        && size < needed
    {
        list.push(Refusal::new(
            format!(
                "the root volume of {} is {size} GiB, and {id} needs {needed} GiB",
                facts.environment.name
            ),
            format!("set {LAUNCH} RootVolumeSize to {needed} or more, in an update of its own"),
        ));
    }
    list
}
