//! `goldseed.yaml` and the environment become typed values.
//!
//! [`Settings::load`] reads the whole file and reports everything that is wrong in it at once, each mistake with its
//! place. The values of recipes stay raw, with their spans: what a recipe takes is known to [`crate::recipe`] alone,
//! and `pipeline/plan` brings the two together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::document::{self, Diagnostics, Document, Fields, Node, Review, Value};
use crate::id::{ImageId, SecurityGroupId, SubnetId};

mod form;
mod pipeline;
mod placeholders;
mod site;
mod surroundings;

pub(crate) use form::{is_environment_name, is_pipeline_name};
pub use surroundings::{Surroundings, SurroundingsError, account_of};

/// The version of the format that this tool reads: the value of the key `goldseed`.
pub const FORMAT: i64 = 1;

/// A whole `goldseed.yaml`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file, as it was named; a project's own `recipes/` lies beside it.
    pub path: PathBuf,
    /// Its text, for messages about the spans below.
    pub text: document::Source,
    /// The AWS account, twelve digits. Nothing is done with credentials of another.
    pub account: Option<String>,
    /// The region; nothing is done in another.
    pub region: Option<String>,
    /// Put on everything that the tool makes.
    pub tags: BTreeMap<String, String>,
    /// By name.
    pub pipelines: BTreeMap<String, Pipeline>,
}

/// One environment and the recipes for it.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The name: lower-case letters, digits and hyphens, 32 characters at most, as it stands in the names of images
    /// and in the paths of parameters.
    pub name: String,
    /// Where the name stands in the file.
    pub name_span: Range<usize>,
    /// The Elastic Beanstalk environment.
    pub environment: String,
    /// Its application; needed only where the environment's name alone is not enough for a person.
    pub application: Option<String>,
    /// What a build starts from.
    pub source: Source,
    /// The machine that recipes are applied on.
    pub seed: Seed,
    /// In the order in which they are applied; at least one.
    pub recipes: Vec<RecipeUse>,
    /// How a promotion is judged.
    pub watch: Watch,
    /// The site's public address, and how checks through the load balancer reach it.
    pub site: Site,
    /// Asked after a swap beside the balancer checks of the recipes.
    pub probes: Vec<Probe>,
}

/// The site's public address, and how checks through the load balancer reach it where they do not say so themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// `https://www.example.com`, without a path.
    pub url: Option<String>,
    /// Where the address stands in the file, or the whole entry.
    pub span: Range<usize>,
    /// What the requests have in common.
    pub request: Request,
    /// Whether the load balancer is asked by https; without it, as the address says.
    pub https: Option<bool>,
}

/// How a request is sent, where that is not left to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Where it is sent to, and from: `balancer`, `dns` or `instance`.
    pub via: Option<&'static str>,
    /// More headers; a value may be a reference to a secret.
    pub headers: Vec<(String, String)>,
    /// The address to connect to, whatever DNS or Beanstalk says.
    pub resolve: Option<String>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// The time in which a page must be there.
    pub slower_than: Option<Duration>,
}

/// What a build starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Source {
    /// A running instance of the environment: a raw image is taken of it.
    #[default]
    Instance,
    /// The stock image of the environment's platform version.
    Platform,
    /// The environment's present base image.
    Current,
    /// A certain image.
    Image(ImageId),
}

/// The machine that recipes are applied on; what is left out is as on the source instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seed {
    /// An EC2 instance type of the environment's architecture.
    pub instance_type: Option<String>,
    /// A subnet from which Systems Manager is reached.
    pub subnet: Option<SubnetId>,
    /// Security groups; those that the file system and the database let in.
    pub security_groups: Vec<SecurityGroupId>,
    /// The name of the instance profile: its role answers Run Command and reads the secrets of the recipes.
    pub instance_profile: Option<String>,
    /// The size of the root volume in GiB.
    pub volume_size: Option<u32>,
}

/// A recipe in a pipeline, with its values as they were written.
#[derive(Clone, Debug)]
pub struct RecipeUse {
    /// The name of the recipe.
    pub name: String,
    /// Where the name stands.
    pub name_span: Range<usize>,
    /// A map from parameters to values; empty where none are given.
    pub values: Node,
    /// The whole entry.
    pub span: Range<usize>,
}

/// How a promotion is judged: durations of real AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Watch {
    /// How long the environment must stay well after the swap.
    pub soak: Duration,
    /// So many of the last [`of`](Self::of) looks must be good.
    pub good: u32,
    /// Over so many looks.
    pub of: u32,
    /// When a swap that is still not good has failed.
    pub deadline: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            soak: Duration::from_mins(5),
            good: 8,
            of: 10,
            deadline: Duration::from_hours(1),
        }
    }
}

/// A page that must answer through the balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// An `http` or `https` address.
    pub url: String,
    /// Text that must be in the answer: an empty page can be 200 too.
    pub contains: Option<String>,
    /// The status that is expected.
    pub status: u16,
    /// How it is sent.
    pub request: Request,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is not there.
    #[error("there is no settings file {}", .0.display())]
    Absent(PathBuf),
    /// The file cannot be read; the source names it.
    #[error("the settings cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// The file says something that cannot be; prints every mistake with its place.
    #[error("{0}")]
    Invalid(Diagnostics),
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// A file that is absent or unreadable, and everything that is wrong in it.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let bytes = fs_err::read(path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                SettingsError::Absent(path.to_owned())
            } else {
                SettingsError::Unreadable(error)
            }
        })?;
        let text = document::text_of(path, bytes).map_err(SettingsError::Invalid)?;
        Self::parse(path, text).map_err(SettingsError::Invalid)
    }

    /// Reads the text of a settings file; `path` is its name in messages.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn parse(path: &Path, text: String) -> Result<Self, Diagnostics> {
        let document = Document::parse(path, text)?;
        let review = Review::of(&document.source);
        let settings = read(path, &document, &review);
        let empty = Self {
            path: path.to_owned(),
            text: document.source.clone(),
            account: None,
            region: None,
            tags: BTreeMap::new(),
            pipelines: BTreeMap::new(),
        };
        if review.count() > 0 {
            // What the recipes take is not read before the settings are right; what is still to be filled in shows now.
            placeholders::report(&document.root, &review);
        }
        let mut found = review.take();
        found.0.sort_by_key(|mistake| mistake.span.start);
        found.or(settings.unwrap_or(empty))
    }
}

/// The text that [`starter`] begins with.
const STARTER: &str = include_str!("settings/starter.yaml");

/// The text of a first `goldseed.yaml`: commented, and complete but for what stands in `<…>`, which `goldseed check`
/// points at until it is filled in.
pub fn starter(pipeline: &str, environment: &str) -> String {
    STARTER
        .replace("PIPELINE", pipeline)
        .replace("ENVIRONMENT", environment)
}

fn read(path: &Path, document: &Document, review: &Review) -> Option<Settings> {
    if document.root.value == Value::Null {
        review
            .error(0..0, "the file is empty")
            .help("`goldseed init` writes one to start from");
        return None;
    }
    let fields = Fields::of(
        &document.root,
        "a settings file",
        &[
            "goldseed",
            "account",
            "region",
            "tags",
            "defaults",
            "pipelines",
        ],
        review,
    )?;
    read_format(&fields, review);
    let account = fields.optional("account", form::account);
    let region = fields.optional("region", form::region);
    let tags = fields.optional("tags", form::tags).unwrap_or_default();
    let defaults = fields
        .optional("defaults", pipeline::defaults)
        .unwrap_or_default();
    let pipelines = fields.required("pipelines", |node, review| {
        pipeline::pipelines(node, &defaults, review)
    });
    Some(Settings {
        path: path.to_owned(),
        text: document.source.clone(),
        account,
        region,
        tags,
        pipelines: pipelines.unwrap_or_default(),
    })
}

fn read_format(fields: &Fields<'_>, review: &Review) {
    let Some(node) = fields.get("goldseed") else {
        review
            .error(fields.head(), "the version of the format is missing")
            .help(format!("begin the file with `goldseed: {FORMAT}`"));
        return;
    };
    if node.value != Value::Int(FORMAT) {
        let written = review.source().slice(&node.span).to_owned();
        review
            .error(
                node.span.clone(),
                format!("format `{written}` is not known to this goldseed"),
            )
            .help(format!("this version reads `goldseed: {FORMAT}`"));
    }
}
