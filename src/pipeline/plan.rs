//! The plan: what a run is to do, as plain data with a digest by section. A pure function of files and flags: no
//! clock, no environment, no AWS.

use serde::Serialize;

use crate::cloud::Tags;
use crate::document::{Diagnostics, Key, Node, Review, Value};
use crate::id::Digest;
use crate::recipe::{
    self, Bound, Header, HttpCheck, Kind, Library, LoadError, Migrations, Purpose, Recipe, Script,
    Via,
};
use crate::settings::{Pipeline, Probe, RecipeUse, Request, Seed, Settings, Watch};

pub use crate::settings::Source;

mod sections;

/// What a run of a pipeline is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub pipeline: String,
    /// The environment's name.
    pub environment: String,
    /// The application's name, where it is said.
    pub application: Option<String>,
    /// What a build begins with.
    pub source: Source,
    /// What the seed is launched with.
    pub seed: Seed,
    /// The user's own tags.
    pub tags: Tags,
    /// The recipes in their order.
    pub recipe_names: Vec<String>,
    /// All recipes as one script.
    pub apply: Script,
    /// The checks of all recipes as one script.
    pub verify: Script,
    /// The recipe `generalise`.
    pub generalise: Script,
    /// What changes the data right before a swap, where recipes have such steps.
    pub migration: Option<Migration>,
    /// The recipes' checks through the load balancer: they hold for images of these recipes.
    pub recipe_probes: Vec<HttpCheck>,
    /// The pipeline's own probes: they hold whatever the image is.
    pub own_probes: Vec<HttpCheck>,
    /// How they reach the site, where they do not say so themselves.
    pub site: Site,
    /// The rules of the watch.
    pub watch: Watch,
}

/// The site's public address, and how checks through the load balancer reach it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Site {
    /// `https://www.example.com`.
    pub url: Option<String>,
    /// Whether the load balancer is asked by https.
    pub https: Option<bool>,
    /// Where requests are sent to, and from.
    pub via: Option<Via>,
    /// More headers.
    pub headers: Vec<Header>,
    /// The address to connect to.
    pub resolve: Option<String>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// The time in which a page must be there.
    pub slower_than: Option<std::time::Duration>,
}

impl Site {
    fn of(site: &crate::settings::Site) -> Self {
        let request = &site.request;
        Self {
            url: site.url.clone(),
            https: site.https,
            via: request.via.and_then(Via::named),
            headers: headers(request),
            resolve: request.resolve.clone(),
            insecure: request.insecure,
            slower_than: request.slower_than,
        }
    }
}

fn headers(request: &Request) -> Vec<Header> {
    let all = request.headers.iter().cloned();
    all.map(|(name, value)| Header::of(name, value)).collect()
}

/// A pipeline's own probe as a check.
fn own_probe(probe: &Probe) -> HttpCheck {
    let request = &probe.request;
    HttpCheck {
        path: probe.url.clone(),
        host: None,
        https: None,
        headers: headers(request),
        resolve: request.resolve.clone(),
        insecure: request.insecure,
        via: request.via.and_then(Via::named),
        slower_than: request.slower_than,
        status: probe.status,
        contains: probe.contains.clone().into_iter().collect(),
        // As a visitor's browser.
        anywhere: true,
        within: std::time::Duration::ZERO,
    }
}

/// The steps `on: migrate` of all recipes.
#[derive(Clone, Debug)]
pub struct Migration {
    /// As one script.
    pub script: Script,
    /// Whether the code that ran before cannot live with what they change.
    pub breaks: bool,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The settings have no such pipeline.
    #[error("goldseed.yaml has no pipeline `{name}`")]
    UnknownPipeline {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        there_are: Vec<String>,
    },
    /// Settings or recipes are wrong; all mistakes at once.
    #[error("{0}")]
    Invalid(Diagnostics),
    /// A recipe's file cannot be read.
    #[error("a recipe cannot be read")]
    Unreadable(#[source] Box<LoadError>),
}

/// The recipe that takes a machine's identity off it.
const GENERALISE: &str = "generalise";

impl Plan {
    /// Binds a pipeline's settings and recipes.
    pub fn make(settings: &Settings, pipeline: &str, library: &Library) -> Result<Self, PlanError> {
        let pipeline = named(settings, pipeline)?;
        Self::of(
            settings,
            pipeline,
            library,
            &bind(settings, pipeline, library)?,
        )
    }

    /// Binds a pipeline's settings alone: for what only looks, so that a recipe that is half written hides nothing.
    pub fn without_recipes(
        settings: &Settings,
        pipeline: &str,
        library: &Library,
    ) -> Result<Self, PlanError> {
        Self::of(settings, named(settings, pipeline)?, library, &[])
    }

    fn of(
        settings: &Settings,
        pipeline: &Pipeline,
        library: &Library,
        bound: &[Bound],
    ) -> Result<Self, PlanError> {
        let generalise = library.load(GENERALISE).map_err(load_error)?;
        let generalise = generalise
            .bind(&settings.text, pipeline.name_span.clone(), None)
            .map_err(PlanError::Invalid)?;
        let recipe_probes = recipe::balancer_checks(bound).map_err(PlanError::Invalid)?;
        let own_probes = pipeline.probes.iter().map(own_probe);
        let compile = |recipes: &[Bound], purpose| {
            recipe::compile(recipes, purpose).map_err(PlanError::Invalid)
        };
        let migration = match bound.iter().filter_map(Bound::migrations).max() {
            Some(said) => Some(Migration {
                script: compile(bound, Purpose::Migrate)?,
                breaks: said == Migrations::Breaking,
            }),
            None => None,
        };
        Ok(Self {
            pipeline: pipeline.name.clone(),
            environment: pipeline.environment.clone(),
            application: pipeline.application.clone(),
            source: pipeline.source.clone(),
            seed: pipeline.seed.clone(),
            tags: settings.tags.clone(),
            recipe_names: pipeline
                .recipes
                .iter()
                .map(|used| used.name.clone())
                .collect(),
            apply: compile(bound, Purpose::Apply)?,
            verify: compile(bound, Purpose::Verify)?,
            migration,
            generalise: compile(&[generalise], Purpose::Alone)?,
            recipe_probes,
            own_probes: own_probes.collect(),
            site: Site::of(&pipeline.site),
            watch: pipeline.watch,
        })
    }

    /// Whether the image's application comes by the recipe `bridge`, named by the pipeline or included by a recipe.
    pub fn is_bridged(&self) -> bool {
        let steps = self.apply.steps.iter();
        self.recipe_names.iter().any(|name| name == "bridge")
            || steps.into_iter().any(|step| step.recipe == "bridge")
    }

    /// Checks every pipeline and returns all mistakes at once.
    pub fn check_all(settings: &Settings, library: &Library) -> Result<(), PlanError> {
        let mut all = Diagnostics::default();
        for name in settings.pipelines.keys() {
            match Self::make(settings, name, library) {
                Ok(_) => {}
                // A recipe of several pipelines has its mistakes once.
                Err(PlanError::Invalid(mistakes)) => {
                    for mistake in mistakes.0 {
                        if !all.0.contains(&mistake) {
                            all.0.push(mistake);
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        all.or(()).map_err(PlanError::Invalid)
    }

    /// The digest of the recipes with their values: the same recipes give the same digest.
    pub fn recipes_digest(&self) -> Digest {
        let migration = self.migration.as_ref();
        let scripts = [Some(&self.apply), Some(&self.verify)].into_iter();
        let scripts = scripts.chain([migration.map(|migration| &migration.script)]);
        Digest::of_parts(scripts.flatten().map(|script| script.digest.as_str()))
    }
}

fn named<'a>(settings: &'a Settings, pipeline: &str) -> Result<&'a Pipeline, PlanError> {
    settings
        .pipelines
        .get(pipeline)
        .ok_or_else(|| PlanError::UnknownPipeline {
            name: pipeline.to_owned(),
            there_are: settings.pipelines.keys().cloned().collect(),
        })
}

fn bind(
    settings: &Settings,
    pipeline: &Pipeline,
    library: &Library,
) -> Result<Vec<Bound>, PlanError> {
    let review = Review::of(&settings.text);
    let mut bound = Vec::new();
    for used in &pipeline.recipes {
        let span = used.name_span.clone();
        match library.load(&used.name) {
            Ok(recipe) => match recipe.bind(
                &settings.text,
                span,
                Some(&with_site(used, &recipe, pipeline)),
            ) {
                Ok(recipe) => bound.push(recipe),
                Err(mistakes) => review.absorb(mistakes),
            },
            Err(LoadError::Invalid(mistakes)) => review.absorb(mistakes),
            Err(LoadError::Unknown { name, suggestion }) => {
                let help = suggestion.map_or_else(
                    || format!("there are: {}", library.names().join(", ")),
                    |suggestion| format!("did you mean `{suggestion}`?"),
                );
                let message = format!("there is no recipe `{name}`");
                review.error(span, message).label("not found").help(help);
            }
            Err(other) => return Err(PlanError::Unreadable(Box::new(other))),
        }
    }
    review.finish(bound).map_err(PlanError::Invalid)
}

/// The values of a recipe, with the site's address as its `url` where it wants one and none is given.
fn with_site(used: &RecipeUse, recipe: &Recipe, pipeline: &Pipeline) -> Node {
    let mut values = used.values.clone();
    let wanted = recipe.parameters().iter().any(|parameter| {
        parameter.name == "url"
            && parameter.default.is_none()
            && matches!(parameter.kind, Kind::Text(_))
    });
    if let (Value::Map(entries), Some(url), true) = (&mut values.value, &pipeline.site.url, wanted)
        && entries.iter().all(|(key, _)| key.text != "url")
    {
        let span = pipeline.site.span.clone();
        let key = Key {
            text: "url".to_owned(),
            span: span.clone(),
        };
        let value = Value::Text {
            text: url.clone(),
            plain: false,
        };
        entries.push((key, Node { value, span }));
    }
    values
}

fn load_error(error: LoadError) -> PlanError {
    match error {
        LoadError::Invalid(mistakes) => PlanError::Invalid(mistakes),
        other => PlanError::Unreadable(Box::new(other)),
    }
}
