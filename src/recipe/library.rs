//! Where recipes come from: a project's `recipes/`, then those in the binary.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::model::Recipe;
use super::{reading, trial};
use crate::document::{self, Diagnostics, Document, Node, Review};
use crate::id::is_recipe_name;

mod files;
mod named;

pub(crate) use files::Files;
pub use files::{bridge_files, bridge_parts};
use named::{candidates, name_of};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/recipes");

/// How deep recipes may include each other.
const DEEPEST: usize = 16;

/// What was read for one recipe, by name, so that a file is read once; none for one whose mistakes were reported.
type Known = RefCell<BTreeMap<String, Option<Recipe>>>;

/// The recipes that a project can name.
#[derive(Clone, Debug)]
pub struct Library {
    project: Option<PathBuf>,
}

/// Why a recipe could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nobody knows it.
    #[error("there is no recipe `{name}`")]
    Unknown {
        /// As it was asked for.
        name: String,
        /// A known recipe with a similar name.
        suggestion: Option<String>,
    },
    /// Its file is there and cannot be read.
    #[error("cannot read the recipe")]
    Unreadable(#[source] std::io::Error),
    /// It has mistakes; all of them are in here.
    #[error("{0}")]
    Invalid(Diagnostics),
}

impl Library {
    /// The embedded recipes, and before them those in `recipes/` under a project's folder.
    pub fn new(project: Option<PathBuf>) -> Self {
        Self {
            project: project.map(|folder| folder.join("recipes")),
        }
    }

    /// The names of all recipes, sorted; those too that `load` refuses for what their files are called.
    pub fn names(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = EMBEDDED
            .files()
            .map(|file| file.path().to_owned())
            .chain(
                EMBEDDED
                    .dirs()
                    .map(|folder| folder.path().join("recipe.yaml")),
            )
            .filter(|path| EMBEDDED.get_file(path).is_some())
            .filter_map(|path| name_of(&path))
            .collect();
        let entries = self
            .project
            .as_ref()
            .and_then(|folder| fs_err::read_dir(folder).ok());
        for entry in entries.into_iter().flatten().flatten() {
            names.extend(named::meant_by(&entry.path()));
        }
        names.remove("test");
        names.into_iter().collect()
    }

    /// Whether the project has a recipe of this name itself.
    pub fn is_own(&self, name: &str) -> bool {
        self.project.as_ref().is_some_and(|folder| {
            let short = [format!("{name}.yml"), format!("{name}/recipe.yml")];
            let mut files = candidates(name).into_iter().chain(short);
            files.any(|path| folder.join(path).is_file())
        })
    }

    /// Reads the recipe that tests another one: `NAME.test.yaml`, or `test.yaml` beside `recipe.yaml`; none where there
    /// is none.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_test(&self, name: &str) -> Option<Result<Recipe, LoadError>> {
        let own = self.is_own(name);
        let folder = self.project.as_ref().filter(|_| own);
        for candidate in [format!("{name}.test.yaml"), format!("{name}/test.yaml")] {
            if let Some(folder) = folder {
                let path = folder.join(&candidate);
                let short = path.with_extension("yml");
                if let Some(path) = [path, short].into_iter().find(|path| path.is_file()) {
                    return Some(Self::load_file(&path));
                }
            } else if EMBEDDED.get_file(&candidate).is_some() {
                return self.embedded("test", &candidate, &[], &Known::default());
            }
        }
        None
    }

    /// Reads a recipe and checks all of it.
    ///
    /// # Errors
    /// An unknown name, an unreadable file, and every mistake of the recipe together.
    pub fn load(&self, name: &str) -> Result<Recipe, LoadError> {
        self.load_within(name, &[], &Known::default())
    }

    /// Reads a recipe that others include, the outermost first.
    fn load_within(
        &self,
        name: &str,
        outer: &[String],
        known: &Known,
    ) -> Result<Recipe, LoadError> {
        if let Some(folder) = &self.project {
            named::mistakes(folder, name).map_err(LoadError::Invalid)?;
        }
        let candidates = candidates(name);
        for candidate in candidates.iter().filter(|_| is_recipe_name(name)) {
            if let Some(path) = self
                .project
                .as_ref()
                .map(|folder| folder.join(candidate))
                .filter(|path| path.is_file())
            {
                let text = text_of(&path)?;
                let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
                let files = Files::Folder(folder);
                return self.read(name, &path, text, files, outer, known);
            }
        }
        let embedded = |file| self.embedded(name, file, outer, known);
        if let Some(read) = candidates.iter().find_map(|file| embedded(file)) {
            return read;
        }
        let names = self.names();
        let suggestion =
            document::suggestion(name, names.iter().map(String::as_str)).map(str::to_owned);
        Err(LoadError::Unknown {
            name: name.to_owned(),
            suggestion,
        })
    }

    /// Reads a recipe from any file, as `load` would; those that it includes stand beside it or in the binary.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_file(path: &Path) -> Result<Recipe, LoadError> {
        named::well_ended(path).map_err(LoadError::Invalid)?;
        let name = name_of(path).unwrap_or_default();
        named::well_named(path, &name).map_err(LoadError::Invalid)?;
        let text = text_of(path)?;
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let beside = if path.ends_with("recipe.yaml") || path.ends_with("test.yaml") {
            folder.parent().map_or_else(PathBuf::new, Path::to_owned)
        } else {
            folder.clone()
        };
        let library = Self {
            project: Some(beside),
        };
        let files = Files::Folder(folder);
        library.read(&name, path, text, files, &[], &Known::default())
    }

    /// Reads a recipe of the binary, where it has that file.
    fn embedded(
        &self,
        name: &str,
        file: &str,
        outer: &[String],
        known: &Known,
    ) -> Option<Result<Recipe, LoadError>> {
        let text = EMBEDDED.get_file(file)?.contents_utf8()?.to_owned();
        let path = Path::new("built-in/recipes").join(file);
        let folder = Path::new(file)
            .parent()
            .map_or_else(PathBuf::new, Path::to_owned);
        let files = Files::Embedded(folder);
        Some(self.read(name, &path, text, files, outer, known))
    }

    fn read(
        &self,
        name: &str,
        path: &Path,
        text: String,
        files: Files,
        outer: &[String],
        known: &Known,
    ) -> Result<Recipe, LoadError> {
        let (document, found) = Document::read(path, text);
        let Some(document) = document else {
            return Err(LoadError::Invalid(found));
        };
        let review = Review::of(&document.source);
        review.absorb(found);
        let mut way = outer.to_vec();
        way.push(name.to_owned());
        let load = |node: &Node, review: &Review| self.included(node, &way, known, review);
        let recipe = reading::read(&document, name, files, &load, &review);
        if let Some(recipe) = &recipe {
            // The steps that could be read are tried even so, so that all mistakes show at once.
            trial::with_samples(recipe, &review);
        }
        match recipe {
            Some(recipe) => review.finish(recipe).map_err(LoadError::Invalid),
            None => Err(LoadError::Invalid(review.take())),
        }
    }

    /// A recipe that another includes; `way` are those that are being read, the outermost first.
    fn included(
        &self,
        node: &Node,
        way: &[String],
        known: &Known,
        review: &Review,
    ) -> Option<Recipe> {
        let name = document::text(node, review)?;
        let span = node.span.clone();
        if name.contains("${{") {
            review
                .error(span, "which recipe is included cannot be a parameter")
                .help("write its name; with `when: parameter == value` one of several is taken");
            return None;
        }
        if way.iter().any(|outer| outer == name) {
            let circle = way.join(" → ");
            review
                .error(
                    span,
                    format!("the recipe includes itself: {circle} → {name}"),
                )
                .help("put what both need into a third recipe, and include that");
            return None;
        }
        if way.len() >= DEEPEST {
            review
                .error(
                    span,
                    format!("recipes include each other more than {DEEPEST} deep"),
                )
                .help("include this one from a recipe further out");
            return None;
        }
        if let Some(read) = known.borrow().get(name) {
            return read.clone();
        }
        match self.load_within(name, way, known) {
            Ok(recipe) => {
                known
                    .borrow_mut()
                    .insert(name.to_owned(), Some(recipe.clone()));
                Some(recipe)
            }
            Err(LoadError::Unknown { suggestion, .. }) => {
                let finding = review.error(span, format!("there is no recipe `{name}`"));
                match suggestion {
                    Some(similar) => finding.help(format!("did you mean `{similar}`?")),
                    None => finding.help("a project's recipes stand in `recipes/NAME.yaml`"),
                };
                None
            }
            Err(LoadError::Unreadable(why)) => {
                review.error(span, format!("cannot read the recipe `{name}`: {why}"));
                None
            }
            Err(LoadError::Invalid(mistakes)) => {
                known.borrow_mut().insert(name.to_owned(), None);
                review.absorb(mistakes);
                None
            }
        }
    }
}

/// A recipe's text; where it is none, that is told with its place, as a mistake of that recipe.
fn text_of(path: &Path) -> Result<String, LoadError> {
    let bytes = fs_err::read(path).map_err(LoadError::Unreadable)?;
    document::text_of(path, bytes).map_err(LoadError::Invalid)
}
