//! Pipelines: what one says itself, over what `defaults` says for all.

use std::collections::BTreeMap;

use crate::document::{self, Fields, Key, Node, Review, Value};
use crate::id::is_recipe_name;

use super::{Pipeline, RecipeUse, Seed, Watch, form, site};

/// What `defaults` says for all pipelines.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    seed: Seed,
    watch: Watch,
}

pub(super) fn defaults(node: &Node, review: &Review) -> Option<Defaults> {
    let fields = Fields::of(node, "`defaults`", &["seed", "watch"], review)?;
    let standard = Defaults::default();
    let seed = fields.optional("seed", |node, review| seed(node, &standard.seed, review));
    let watch = fields.optional("watch", |node, review| watch(node, standard.watch, review));
    Some(Defaults {
        seed: seed.unwrap_or_default(),
        watch: watch.unwrap_or_default(),
    })
}

pub(super) fn pipelines(
    node: &Node,
    defaults: &Defaults,
    review: &Review,
) -> Option<BTreeMap<String, Pipeline>> {
    let entries = document::entries(node, review)?;
    if entries.is_empty() {
        review
            .error(node.span.clone(), "there is no pipeline")
            .help("name one, with its `environment` and its `recipes`");
    }
    let pipelines = entries
        .iter()
        .filter_map(|(key, node)| pipeline(key, node, defaults, review))
        .map(|pipeline| (pipeline.name.clone(), pipeline))
        .collect();
    Some(pipelines)
}

fn pipeline(key: &Key, node: &Node, defaults: &Defaults, review: &Review) -> Option<Pipeline> {
    if !form::is_pipeline_name(&key.text) {
        review
            .error(
                key.span.clone(),
                format!("a pipeline cannot be called `{}`", key.text),
            )
            .help(
                "its name stands in names of images and paths of parameters: \
                 lower-case letters, digits and single hyphens, 32 at most",
            );
    }
    if node.value == Value::Null {
        review
            .error(
                key.span.clone(),
                format!("the pipeline `{}` is empty", key.text),
            )
            .help("it needs an `environment` and `recipes`");
        return None;
    }
    let what = format!("the pipeline `{}`", key.text);
    let known = [
        "environment",
        "application",
        "source",
        "seed",
        "recipes",
        "watch",
        "site",
        "probes",
    ];
    let fields = Fields::of(node, what, &known, review)?;
    // All are read before any `?`, so that every mistake is reported.
    let environment = fields.required("environment", form::environment);
    let application = fields.optional("application", form::application);
    let source = fields.optional("source", form::source).unwrap_or_default();
    let seed = fields.optional("seed", |node, review| seed(node, &defaults.seed, review));
    let recipes = fields.required("recipes", recipes);
    let watch = fields.optional("watch", |node, review| watch(node, defaults.watch, review));
    let site = fields.optional("site", site::site).unwrap_or_default();
    let probes = fields.optional("probes", site::probes).unwrap_or_default();
    Some(Pipeline {
        name: key.text.clone(),
        name_span: key.span.clone(),
        environment: environment?,
        application,
        source,
        seed: seed.unwrap_or_else(|| defaults.seed.clone()),
        recipes: recipes?,
        watch: watch.unwrap_or(defaults.watch),
        site,
        probes,
    })
}

fn seed(node: &Node, otherwise: &Seed, review: &Review) -> Option<Seed> {
    let known = [
        "instance-type",
        "subnet",
        "security-groups",
        "instance-profile",
        "volume-size",
    ];
    let fields = Fields::of(node, "`seed`", &known, review)?;
    let volume_size = fields.optional("volume-size", |node, review| {
        // The largest gp3 and gp2 volume that every region has.
        form::number(node, review, "a size in GiB", 1..=16_384)
    });
    let security_groups = fields.optional("security-groups", form::security_groups);
    Some(Seed {
        instance_type: fields
            .optional("instance-type", form::instance_type)
            .or_else(|| otherwise.instance_type.clone()),
        subnet: fields
            .optional("subnet", form::subnet)
            .or_else(|| otherwise.subnet.clone()),
        security_groups: security_groups.unwrap_or_else(|| otherwise.security_groups.clone()),
        instance_profile: fields
            .optional("instance-profile", form::instance_profile)
            .or_else(|| otherwise.instance_profile.clone()),
        volume_size: volume_size.or(otherwise.volume_size),
    })
}

fn watch(node: &Node, otherwise: Watch, review: &Review) -> Option<Watch> {
    let known = ["soak", "good", "of", "deadline"];
    let fields = Fields::of(node, "`watch`", &known, review)?;
    let before = review.count();
    let looks =
        |node: &Node, review: &Review| form::number(node, review, "a number of looks", 1..=100);
    let watch = Watch {
        soak: fields
            .optional("soak", document::duration)
            .unwrap_or(otherwise.soak),
        good: fields.optional("good", looks).unwrap_or(otherwise.good),
        of: fields.optional("of", looks).unwrap_or(otherwise.of),
        deadline: fields
            .optional("deadline", document::duration)
            .unwrap_or(otherwise.deadline),
    };
    if review.count() > before {
        return None;
    }
    let place = |key: &str| {
        fields
            .get(key)
            .map_or_else(|| fields.head(), |node| node.span.clone())
    };
    if watch.good > watch.of {
        review.error(
            place("good"),
            format!("{} good looks of {} cannot be", watch.good, watch.of),
        );
    } else if watch.good * 2 <= watch.of {
        review
            .error(
                place("good"),
                format!(
                    "{} good looks of {} would call an environment well that is unwell half of the time",
                    watch.good, watch.of
                ),
            )
            .help("ask for more than half");
    }
    if watch.soak < std::time::Duration::from_secs(10) {
        review
            .error(place("soak"), "the soak time is too short to see anything")
            .help("10s at least; five minutes are usual");
    }
    if watch.deadline <= watch.soak {
        review
            .error(
                place("deadline"),
                "the deadline would be over before the soak time",
            )
            .help("a rolling update takes minutes for each batch; 60m is usual");
    }
    if watch.deadline > std::time::Duration::from_hours(12) {
        review
            .error(
                place("deadline"),
                "the deadline is more than half a day away",
            )
            .help("12h at most: until then nothing is rolled back");
    }
    Some(watch)
}

fn recipes(node: &Node, review: &Review) -> Option<Vec<RecipeUse>> {
    let items = document::items(node, review)?;
    if items.is_empty() {
        review
            .error(node.span.clone(), "there is no recipe")
            .help("`goldseed check` lists those that are built in");
    }
    all(items.iter().map(|item| recipe(item, review)))
}

fn recipe(node: &Node, review: &Review) -> Option<RecipeUse> {
    let entry = match &node.value {
        Value::Text { text, .. } => Some((text.clone(), node.span.clone(), None)),
        Value::Map(entries) => match entries.as_slice() {
            [(key, values)] => Some((key.text.clone(), key.span.clone(), Some(values))),
            _ => None,
        },
        _ => None,
    };
    let Some((name, name_span, values)) = entry else {
        review
            .error(node.span.clone(), "expected one recipe")
            .label(match &node.value {
                Value::Map(entries) => format!("{} keys", entries.len()),
                _ => node.kind().to_owned(),
            })
            .help("`- name`, or `- name: {parameter: value}` with the parameters further in than the name");
        return None;
    };
    if !is_recipe_name(&name) {
        review
            .error(name_span, format!("a recipe cannot be called `{name}`"))
            .help("a name has up to 64 letters, digits, `-`, `_` and `.`, a letter or digit first: the file is recipes/NAME.yaml or recipes/NAME/recipe.yaml");
        return None;
    }
    let values = match values.filter(|values| values.value != Value::Null) {
        Some(values) => {
            document::entries(values, review)?;
            values.clone()
        }
        None => Node {
            value: Value::Map(Vec::new()),
            span: name_span.clone(),
        },
    };
    Some(RecipeUse {
        name,
        name_span,
        values,
        span: node.span.clone(),
    })
}

/// All values, if all could be read; unlike `collect` it does not stop at the first that could not.
pub(super) fn all<T>(values: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let values: Vec<Option<T>> = values.collect();
    values.into_iter().collect()
}
